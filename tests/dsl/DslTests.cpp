#define BOOST_TEST_MODULE dsl
#include <boost/test/included/unit_test.hpp>
