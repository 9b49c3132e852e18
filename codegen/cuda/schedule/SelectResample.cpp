// Resampling, whose tables are text beside the kernel.
#include "codegen/cuda/device/resample.cuh"
#include "codegen/cuda/schedule/Selection.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::codegen {
namespace {

// static const TYPE NAME[] = {ELEMENT, ...}; in lines of a few elements.
template <class Range, class Write>
void writeTable(llvm::raw_ostream &out, const char *type, const std::string &name, const Range &elements,
                const Write &write) {
  constexpr size_t perLine = 8;
  out << "static const " << type << " " << name << "[] = {";
  for (const auto &[i, element] : llvm::enumerate(elements)) {
    out << (i == 0 ? "" : ",") << (i % perLine == 0 ? "\n      " : " ");
    write(element);
  }
  out << "};\n  ";
}

std::string tableOf(const std::string &name, const std::vector<dsl::ResamplingRun> &runs) {
  std::string text;
  llvm::raw_string_ostream out(text);
  writeTable(out, "vn::Run", name, runs, [&](const dsl::ResamplingRun &run) {
    out << "{" << run.begin << ", " << run.weights.size() << "}";
  });
  std::vector<float> weights;
  for (const dsl::ResamplingRun &run : runs) {
    weights.insert(weights.end(), run.weights.begin(), run.weights.end());
    weights.resize((size_t(&run - runs.data()) + 1) * size_t(dsl::longestRun(runs)));
  }
  writeTable(out, "float", name + "_weights", weights,
             [&](float weight) { out << llvm::format("%.9ef", double(weight)); });
  return text;
}

} // namespace

void CudaSelection::resample(const ResampleProblem &p, const Places &at) {
  Draft d{.type = "Resample", .function = "resample"};
  const std::vector<dsl::ResamplingRun> rows = p.runs(0), columns = p.runs(1);
  const ::vn::Resample resample{.in = map(d, p.in, at.reads[0]),
                                .out = map(d, p.out, at.writes[0]),
                                .longest = {int(dsl::longestRun(rows)), int(dsl::longestRun(columns))}};
  d.constant.field("in", resample.in).field("out", resample.out).field("longest", resample.longest);
  d.tables = tableOf("rows", rows);
  if (rows != columns)
    d.tables += tableOf("columns", columns);
  d.arguments = std::string("in, out, {rows, rows_weights}, ") +
                (rows == columns ? "{rows, rows_weights}" : "{columns, columns_weights}");
  d.launch = launch_of(resample);
  read(d, "in", at.reads[0]);
  write(d, "out", at.writes[0]);
  step(p, d);
}

} // namespace vernier::codegen
