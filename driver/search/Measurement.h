// Accuracies and times of configurations, measured by `M tabulate` of the binary of all of them. What has
// been measured stays in the search's directory and is not measured again.
#ifndef VERNIER_DRIVER_SEARCH_MEASUREMENT_H
#define VERNIER_DRIVER_SEARCH_MEASUREMENT_H

#include "driver/Processes.h"
#include "driver/search/SearchOptions.h"
#include "driver/search/SearchTable.h"

#include <map>

namespace vernier::driver {

// Rows of a file's lines, by configuration; of each only what was measured is set.
using MeasuredRows = std::map<std::string, SearchRow>;

class Measurement {
public:
  // `device`: the name of the one that is timed; empty: the CPU.
  Measurement(const SearchOptions &options, const std::string &model, std::string device);

  int64_t threads() const { return threadCount; }

  // On each `every`-th of the search's images, by several processes.
  MeasuredRows accuracies(const std::vector<std::string> &configurations, int64_t every) const;

  // Weights with the batch norms of this configuration recalibrated as --recalibrate says, in a file of the
  // search's directory.
  std::string recalibrate(const std::string &configuration) const;

  // By one process alone, which times the kernels in between; of no configurations, the kernels only.
  MeasuredRows times(const std::vector<std::string> &configurations) const;

  // What the times of the kernels add up to.
  MeasuredRows predictions(const std::vector<std::string> &configurations) const;

private:
  Command tabulate(int64_t threads) const;
  void evaluate(const std::string &stem, const std::string &list, int64_t every) const;
  std::string writeList(const std::string &name, const std::vector<std::string> &configurations) const;
  void requireAll(const std::vector<std::string> &configurations, const MeasuredRows &rows,
                  const std::string &what) const;
  MeasuredRows readShards(const std::string &stem) const;

  const SearchOptions &options;
  const std::string binary, device;
  int64_t threadCount = 1;
};

} // namespace vernier::driver

#endif
