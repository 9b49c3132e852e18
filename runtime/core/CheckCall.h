#ifndef VERNIER_RUNTIME_CORE_CHECKCALL_H
#define VERNIER_RUNTIME_CORE_CHECKCALL_H

#include "vernier/abi.h"

#include <span>

namespace vernier::runtime {

/// Refuses arrays that a program of a model cannot be called with: too few or many, null, at an address that
/// is no multiple of their elements' size, an output that overlaps another array; and of train_step labels
/// that are no class's number, targets and label smoothing that are no probabilities.
void checkCall(const vn_model &model, const vn_program &program, std::span<void *const> io);

} // namespace vernier::runtime

#endif
