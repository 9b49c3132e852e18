#include "compiler/lower/WeightAssignment.h"

#include "dsl/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

#include <map>
#include <unordered_map>
#include <unordered_set>

using llvm::StringRef;

namespace vernier::compiler {
namespace {

// What PyTorch's wrappers of a whole network put before all names.
constexpr StringRef kWrappers[] = {"module.", "_orig_mod."};

std::string quoted(StringRef name) { return ("`" + name + "`").str(); }

std::string text(llvm::ArrayRef<int64_t> shape) {
  std::string result = "[";
  for (int64_t size : shape)
    result += (result.size() > 1 ? ", " : "") + std::to_string(size);
  return result + "]";
}

std::string counted(size_t count, StringRef one, StringRef many) {
  return std::to_string(count) + " " + (count == 1 ? one : many).str();
}

// The shape without the 1x1 pixels behind it: the window that a linear layer's weight has as a convolution's,
// the pixel of numbers that channels are multiplied by.
llvm::ArrayRef<int64_t> asMatrix(llvm::ArrayRef<int64_t> shape) {
  return shape.size() >= 3 && shape.back() == 1 && shape[shape.size() - 2] == 1 ? shape.drop_back(2) : shape;
}

// "bn1.weight" of "bn1[0.65].weight" (dsl::Node::variant); empty where there is no choice.
std::string withoutChoice(StringRef name) {
  const auto [before, rest] = name.split('[');
  const auto [choice, after] = rest.split(']');
  return choice.empty() || after.empty() ? std::string() : (before + after).str();
}

StringRef lastElement(StringRef name) { return name.rsplit('.').second; }

// One tensor on its way to a parameter.
struct Candidate {
  size_t tensor;
  std::string name; // as the model would call it
};

class Assigner {
public:
  Assigner(const std::vector<NamedShape> &parameters, const std::vector<NamedShape> &tensors,
           const WeightMapping &mapping)
      : parameters(parameters), tensors(tensors), mapping(mapping) {
    for (size_t i = 0; i < parameters.size(); ++i)
      byName[parameters[i].name] = i;
    for (const NamedShape &parameter : parameters)
      if (std::string shared = withoutChoice(parameter.name); !shared.empty())
        chosen.insert(std::move(shared));
  }

  WeightAssignment run() {
    translate();
    std::vector<std::optional<size_t>> chosen(parameters.size()); // index into `candidates`
    std::vector<size_t> left;
    for (size_t i = 0; i < candidates.size(); ++i) {
      const auto parameter = byName.find(candidates[i].name);
      if (parameter == byName.end())
        left.push_back(i);
      else if (auto &slot = chosen[parameter->second])
        twice(parameter->second, *slot, i);
      else
        slot = i;
    }
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!chosen[i]) {
        if (!parameters[i].unused)
          missing(i, left);
        result.tensors.push_back(kNoTensor);
        continue;
      }
      const Candidate &candidate = candidates[*chosen[i]];
      check(i, candidate.tensor);
      result.tensors.push_back(candidate.tensor);
      result.renamed += candidate.name != tensors[candidate.tensor].name;
    }
    for (size_t i : left)
      leftOver(candidates[i], left);
    if (result.mismatch)
      summarize(size_t(llvm::count_if(chosen, [](const auto &slot) { return slot.has_value(); })),
                left.size());
    return std::move(result);
  }

private:
  //===- Names ---------------------------------------------------------------------------------------===//

  // One wrapper after the other, in any order, as long as all tensors have it and the network itself has none
  // of this name.
  void findWrappers() {
    const auto all = [&](StringRef wrapper) {
      return llvm::all_of(tensors, [&](const NamedShape &tensor) {
        return StringRef(tensor.name).drop_front(result.wrappers.size()).starts_with(wrapper);
      });
    };
    const auto own = [&](StringRef wrapper) {
      return llvm::any_of(parameters,
                          [&](const NamedShape &p) { return StringRef(p.name).starts_with(wrapper); });
    };
    for (bool found = !tensors.empty(); found;) {
      found = false;
      for (StringRef wrapper : kWrappers)
        if (!own(wrapper) && all(wrapper)) {
          result.wrappers += wrapper;
          found = true;
        }
    }
  }

  void translate() {
    findWrappers();
    for (size_t i = 0; i < tensors.size(); ++i) {
      const StringRef name = StringRef(tensors[i].name).drop_front(result.wrappers.size());
      if (mapping.ignores(name)) {
        ++result.ignored;
        continue;
      }
      Candidate candidate{i, mapping.rename(name)};
      if (!byName.count(candidate.name)) {
        if (lastElement(name) == "num_batches_tracked") {
          ++result.counters;
          continue;
        }
        if (llvm::is_contained(tensors[i].shape, 0)) {
          ++result.empty;
          continue;
        }
        if (chosen.contains(withoutChoice(candidate.name))) {
          ++result.otherChoices;
          continue;
        }
      }
      candidates.push_back(std::move(candidate));
    }
  }

  //===- Mismatches ----------------------------------------------------------------------------------===//

  // Counts a mismatch; null unless it is the first, which is explained.
  WeightMismatch *mismatch() {
    const bool first = !result.mismatch;
    if (first)
      result.mismatch.emplace();
    ++result.mismatch->count;
    return first ? &*result.mismatch : nullptr;
  }

  std::string ruleHelp(StringRef from, StringRef to) const {
    return "if " + quoted(from) + " is " + quoted(to) + " there, say so in a mapping: rename = [[\"" +
           from.str() + "\", \"" + to.str() + "\"]]";
  }

  void twice(size_t parameter, size_t first, size_t second) {
    if (WeightMismatch *m = mismatch()) {
      m->what = "parameter " + quoted(parameters[parameter].name) + " would come from two tensors, " +
                quoted(tensors[candidates[first].tensor].name) + " and " +
                quoted(tensors[candidates[second].tensor].name);
      m->help = "let the mapping ignore one of them, or rename it otherwise";
    }
  }

  void check(size_t parameter, size_t tensor) {
    const NamedShape &expected = parameters[parameter], &found = tensors[tensor];
    if (found.shape == expected.shape)
      return;
    if (asMatrix(found.shape) == asMatrix(expected.shape)) {
      ++result.reshaped;
      return;
    }
    if (WeightMismatch *m = mismatch()) {
      m->what = "tensor " + quoted(found.name) + " has shape " + text(found.shape) + ", parameter " +
                quoted(expected.name) + " of the model has " + text(expected.shape);
      // Only the classifier's rows differ: the commonest case by far.
      const bool rows =
          found.shape.size() == expected.shape.size() && !found.shape.empty() &&
          llvm::ArrayRef(found.shape).drop_front() == llvm::ArrayRef(expected.shape).drop_front();
      const StringRef layer = StringRef(parameters.back().name).rsplit('.').first;
      m->help = rows && StringRef(expected.name).rsplit('.').first == layer
                    ? "the weights are for " + std::to_string(found.shape[0]) +
                          " classes: --set classes=" + std::to_string(found.shape[0]) +
                          ", if the network has this parameter"
                    : "the weights may be those of another model, or of another configuration: see --model, "
                      "--set and --config";
    }
  }

  void missing(size_t parameter, llvm::ArrayRef<size_t> left) {
    WeightMismatch *m = mismatch();
    if (!m)
      return;
    const NamedShape &wanted = parameters[parameter];
    m->what = "no tensor for parameter " + quoted(wanted.name) + " of shape " + text(wanted.shape);
    // What it may be called: the only tensor left of this shape and role, or one of a similar name.
    std::vector<std::string> alike, names;
    for (size_t i : left) {
      const NamedShape &tensor = tensors[candidates[i].tensor];
      names.push_back(tensor.name);
      if (asMatrix(tensor.shape) == asMatrix(wanted.shape) &&
          lastElement(tensor.name) == lastElement(wanted.name))
        alike.push_back(tensor.name);
    }
    const std::string closest =
        alike.size() == 1 ? alike[0] : dsl::closestName(wanted.name, alike.empty() ? names : alike);
    if (!closest.empty())
      m->help = ruleHelp(closest, wanted.name);
    else if (left.empty())
      m->help = "the file may be of another model, or lack a part: see --model, --set and --config";
    else
      m->help = "what the file calls otherwise is said by a mapping, whose rules are "
                "[\"name there\", \"name here\"]";
  }

  void leftOver(const Candidate &candidate, llvm::ArrayRef<size_t> left) {
    WeightMismatch *m = mismatch();
    if (!m)
      return;
    // Every parameter has its tensor, so this one is of a part that the network lacks.
    const NamedShape &tensor = tensors[candidate.tensor];
    m->what =
        "tensor " + quoted(tensor.name) + " of shape " + text(tensor.shape) + " is no parameter of the model";
    if (candidate.name != tensor.name)
      m->notes.push_back("the mapping calls it " + quoted(candidate.name));
    m->help = "if the network can do without it, let a mapping ignore it: ignore = [\"" + tensor.name + "\"]";
  }

  void summarize(size_t used, size_t left) {
    WeightMismatch &m = *result.mismatch;
    m.notes.push_back(std::to_string(used) + " of " + counted(parameters.size(), "parameter", "parameters") +
                      " of the model have a tensor by name; " +
                      counted(left, "tensor of the file is", "tensors of the file are") + " left over");
  }

  const std::vector<NamedShape> &parameters, &tensors;
  const WeightMapping &mapping;
  std::unordered_map<std::string, size_t> byName; // of parameters
  std::unordered_set<std::string> chosen;         // names of parameters of a choice, without it
  std::vector<Candidate> candidates;
  WeightAssignment result;
};

} // namespace

WeightAssignment assignWeights(const std::vector<NamedShape> &parameters,
                               const std::vector<NamedShape> &tensors, const WeightMapping &mapping) {
  return Assigner(parameters, tensors, mapping).run();
}

} // namespace vernier::compiler
