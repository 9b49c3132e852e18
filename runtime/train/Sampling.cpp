#include "runtime/train/Sampling.h"

#include "runtime/core/Random.h"

#include <algorithm>

namespace vernier::runtime {

std::vector<Choices> sampleConfigurations(const vn_model &model, Sampling sampling, uint64_t seed,
                                          int64_t update) {
  const auto holes = holesOf(model);
  int64_t count = 1;
  for (const vn_hole &hole : holes)
    count = std::max(count, hole.num_choices);
  RandomStream random(seed, RandomPurpose::Sampling, 0, uint64_t(update));
  std::vector<Choices> configurations(size_t(count), Choices(holes.size()));
  for (size_t h = 0; h < holes.size(); ++h) {
    const uint32_t choices = uint32_t(holes[h].num_choices);
    if (sampling == Sampling::Random) {
      for (Choices &configuration : configurations)
        configuration[h] = random.below(choices);
      continue;
    }
    // Shuffled rounds of all choices; of the last round as many as are left.
    std::vector<int64_t> order;
    while (int64_t(order.size()) < count) {
      std::vector<int64_t> round(choices);
      for (uint32_t c = 0; c < choices; ++c)
        round[c] = c;
      for (uint32_t c = choices; c > 1; --c)
        std::swap(round[c - 1], round[random.below(c)]);
      order.insert(order.end(), round.begin(), round.end());
    }
    for (size_t i = 0; i < configurations.size(); ++i)
      configurations[i][h] = order[i];
  }
  return configurations;
}

} // namespace vernier::runtime
