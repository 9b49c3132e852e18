// Which configurations of a model with open holes are measured.
#include "runtime/core/Configurations.h"
#include "tests/runtime/Support.h"

#include <set>

using namespace vernier::runtime;
using namespace vernier::test;

namespace {

constexpr double values[] = {1, 0.75, 0.5};
constexpr vn_hole holes[] = {{"a", values, 3}, {"b", values, 2}, {"c", values, 3}, {"d", values, 2}};
constexpr vn_variant variants[9] = {};
constexpr int64_t a[] = {0}, ab[] = {0, 1}, bc[] = {1, 2};
// Stages, and what lies between two of them; no segment depends on `d`.
constexpr vn_segment segments[] = {
    {nullptr, 0, variants, 1}, {a, 1, variants, 3}, {ab, 2, variants, 6}, {bc, 2, variants, 6}};

vn_model fourHoles() {
  vn_model model = {};
  model.name = "m";
  model.holes = holes;
  model.num_holes = 4;
  model.infer.segments = segments;
  model.infer.num_segments = 4;
  return model;
}

} // namespace

BOOST_AUTO_TEST_SUITE(configurations)

BOOST_AUTO_TEST_CASE(all_or_a_sample) {
  const vn_model model = fourHoles();
  const std::vector<Choices> all = enumerateConfigurations(model);
  BOOST_TEST(all.size() == 36u);
  BOOST_TEST(std::set<Choices>(all.begin(), all.end()).size() == 36u);
  BOOST_TEST(all[1] == (Choices{0, 0, 0, 1}));
  const std::vector<Choices> sample = enumerateConfigurations(model, 10, 3);
  BOOST_TEST(std::set<Choices>(sample.begin(), sample.end()).size() == 10u);
  BOOST_TEST(sample == enumerateConfigurations(model, 10, 3));
  BOOST_TEST(sample != enumerateConfigurations(model, 10, 4));
  BOOST_TEST(enumerateConfigurations(model, 40) == all);

  const std::vector<vn_hole> many(30, holes[0]);
  vn_model large = model;
  large.holes = many.data();
  large.num_holes = int64_t(many.size());
  expectError(VN_ERROR_ARGUMENT, "more than 1048576 configurations", [&] { enumerateConfigurations(large); });
  BOOST_TEST(enumerateConfigurations(large, 5).size() == 5u);
}

// Every variant runs, in hardly more configurations than the largest segment has variants; another round has
// them in other company.
BOOST_AUTO_TEST_CASE(few_configurations_cover_all_variants) {
  const vn_model model = fourHoles();
  std::set<Choices> seen;
  for (int64_t round = 0; round < 4; ++round) {
    const std::vector<Choices> covering = coveringConfigurations(model, model.infer, round);
    BOOST_TEST(covering.size() <= 9u);
    for (const vn_segment &segment : segments) {
      std::set<size_t> run;
      for (const Choices &choices : covering) {
        checkChoices(model, choices);
        run.insert(variantIndex(model, segment, choices));
      }
      BOOST_TEST(run.size() == size_t(segment.num_variants));
    }
    seen.insert(covering.begin(), covering.end());
  }
  BOOST_TEST(seen.size() > 12u);
  BOOST_TEST(variantText(model, segments[3], 4) == "b=0.75,c=0.75");
  BOOST_TEST(variantText(model, segments[0], 0) == "");
}

BOOST_AUTO_TEST_SUITE_END()
