#include "runtime/core/Configurations.h"

#include "runtime/Error.h"
#include "runtime/core/Random.h"

#include <algorithm>
#include <fmt/core.h>
#include <set>

namespace vernier::runtime {

static constexpr int64_t mostConfigurations = int64_t(1) << 20;

static int64_t configurationCount(const ModelOutline &model) {
  int64_t count = 1;
  for (const vn_hole &hole : model.holes)
    count = std::min(count * std::min(hole.num_choices, mostConfigurations), mostConfigurations + 1);
  return count;
}

std::vector<Choices> enumerateConfigurations(const ModelOutline &model, int64_t sample, int64_t seed) {
  const auto holes = model.holes;
  const int64_t count = configurationCount(model);
  std::vector<Choices> result;
  if (sample == 0 || sample >= count) {
    if (count > mostConfigurations)
      throw Error(VN_ERROR_ARGUMENT,
                  fmt::format("model `{}` has more than {} configurations", model.name, mostConfigurations))
          .help("measure some of them: --sample N");
    for (int64_t index = 0; index < count; ++index) {
      Choices choices(holes.size());
      int64_t rest = index;
      for (size_t h = holes.size(); h-- > 0; rest /= holes[h].num_choices)
        choices[h] = rest % holes[h].num_choices;
      result.push_back(std::move(choices));
    }
    return result;
  }
  RandomStream random(uint64_t(seed), RandomPurpose::Sampling, 1, 0);
  std::set<Choices> drawn;
  while (int64_t(result.size()) < sample) {
    Choices choices(holes.size());
    for (size_t h = 0; h < holes.size(); ++h)
      choices[h] = random.below(uint32_t(holes[h].num_choices));
    if (drawn.insert(choices).second)
      result.push_back(std::move(choices));
  }
  return result;
}

namespace {

constexpr int64_t unset = -1;

/// Makes `choices` those of a segment's variant; false, and nothing is done, where they are set otherwise.
bool setVariant(const vn_model &model, const vn_segment &segment, int64_t variant, Choices &choices) {
  Choices set = choices;
  for (int64_t i = segment.num_holes; i-- > 0;) {
    const int64_t hole = segment.holes[i], count = model.holes[hole].num_choices;
    int64_t &choice = set[size_t(hole)];
    if (choice != unset && choice != variant % count)
      return false;
    choice = variant % count;
    variant /= count;
  }
  choices = std::move(set);
  return true;
}

} // namespace

std::vector<Choices> coveringConfigurations(const vn_model &model, const vn_program &program, int64_t round) {
  const std::span<const vn_segment> segments(program.segments, size_t(program.num_segments));
  std::vector<std::vector<bool>> covered;
  for (const vn_segment &segment : segments)
    covered.emplace_back(size_t(segment.num_variants));
  /// The first variant that is not covered and goes with `choices`; each round begins elsewhere.
  const auto addUncovered = [&](size_t s, Choices &choices) {
    const int64_t count = segments[s].num_variants;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t variant = (i + round * int64_t(s + 1)) % count;
      if (!covered[s][size_t(variant)] && setVariant(model, segments[s], variant, choices))
        return true;
    }
    return false;
  };
  std::vector<Choices> result;
  for (size_t s = 0; s < segments.size();) {
    Choices choices(size_t(model.num_holes), unset);
    if (!addUncovered(s, choices)) {
      ++s;
      continue;
    }
    for (size_t other = s + 1; other < segments.size(); ++other)
      addUncovered(other, choices);
    for (size_t h = 0; h < choices.size(); ++h)
      if (choices[h] == unset)
        choices[h] = (round + int64_t(h)) % model.holes[h].num_choices;
    for (size_t t = 0; t < segments.size(); ++t)
      covered[t][variantIndex(model, segments[t], choices)] = true;
    result.push_back(std::move(choices));
  }
  return result;
}

} // namespace vernier::runtime
