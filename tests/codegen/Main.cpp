#define BOOST_TEST_MODULE codegen
#include <boost/test/included/unit_test.hpp>
