// Group normalisation and rectifiers with learned slopes.
#include "codegen/cuda/device/group_norm.cuh"
#include "codegen/cuda/device/prelu.cuh"
#include "codegen/cuda/schedule/Selection.h"

namespace vernier::codegen {

// Sums, what normalises, and that applied.
Location CudaSelection::groupNorm(const Problem &problem, const GroupNorm &norm, const Places &at) {
  const int64_t channels = norm.x.c, images = norm.x.n, rows = norm.gradient ? 4 : 2;
  Draft first{.type = "GroupSums", .function = "group_sums"};
  ::vn::GroupSums sums{.x = map(first, norm.x, at.reads[0])};
  first.constant.field("x", sums.x);
  read(first, "x", at.reads[0]);
  sums.gradient = norm.gradient;
  if (norm.gradient) {
    sums.dy = map(first, norm.dy, at.reads[1]);
    first.constant.field("dy", sums.dy).field("gradient", true);
    read(first, "dy", at.reads[1]);
  } else {
    first.arguments = "x, nullptr, sums";
  }
  const Location parts = doubles(sums.elements());
  first.chosen = "sums";
  first.launch = launch_of(sums);
  write(first, "sums", parts, "double", sums.elements());
  step(problem, first);

  Draft second{.type = "GroupFinish", .function = "group_finish"};
  const ::vn::GroupFinish finish{.images = int(images),
                                 .pixels = int(norm.x.h * norm.x.w),
                                 .channels = int(channels),
                                 .groups = int(norm.groups),
                                 .parts = parts_of(sums),
                                 .gradient = norm.gradient,
                                 .epsilon = norm.epsilon};
  second.constant.field("images", finish.images).field("pixels", finish.pixels);
  second.constant.field("channels", finish.channels).field("groups", finish.groups);
  second.constant.field("parts", finish.parts).field("gradient", finish.gradient);
  second.constant.field("epsilon", finish.epsilon);
  second.chosen = "finish of " + std::to_string(finish.parts);
  second.launch = launch_of(finish);
  const Location coefficients = writer.scratch(images * rows * channels);
  Location channelSums;
  read(second, "sums", parts, "const double", sums.elements());
  read(second, "gamma", at.reads[norm.gradient ? 2 : 1]);
  write(second, "coefficients", coefficients);
  if (norm.gradient) {
    channelSums = doubles(images * 2 * channels);
    write(second, "channel_sums", channelSums, "double", images * 2 * channels);
  } else {
    second.arguments = "sums, gamma, coefficients, nullptr";
  }
  step(problem, second);

  Draft last{.type = "GroupApply", .function = "group_apply"};
  ::vn::GroupApply apply{.x = map(last, norm.x, at.reads[0])};
  last.constant.field("x", apply.x);
  read(last, "x", at.reads[0]);
  apply.gradient = norm.gradient;
  if (norm.gradient) {
    apply.dy = map(last, norm.dy, at.reads[1]);
    last.constant.field("dy", apply.dy);
    read(last, "dy", at.reads[1]);
    last.arguments = "x, dy, nullptr, coefficients, y";
  } else {
    read(last, "beta", at.reads[2]);
    last.arguments = "x, nullptr, beta, coefficients, y";
  }
  read(last, "coefficients", coefficients);
  apply.y = map(last, norm.out, at.writes[0]);
  last.constant.field("y", apply.y);
  if (!norm.gradient && at.reads[2].offset % 16 == 0) {
    apply.parameters = 4;
    last.constant.field("parameters", apply.parameters);
  }
  last.aligned.push_back(norm.gradient || apply.parameters == 4 ? 0 : apply.parameters);
  last.constant.field("gradient", apply.gradient);
  last.chosen = "apply";
  last.launch = launch_of(apply);
  write(last, "y", at.writes[0]);
  Step &made = step(problem, last);
  if (norm.gradient)
    mayReuse(made, {1});
  mayReuse(made, {0});
  return channelSums;
}

void CudaSelection::groupNorm(const GroupNormProblem &p, const Places &at) {
  groupNorm(p, {p.x, {}, p.y, p.groups, p.epsilon, false}, at);
}

void CudaSelection::groupNormGradient(const GroupNormGradientProblem &p, const Places &at) {
  const Location parts = groupNorm(p, {p.x, p.dy, p.dx, p.groups, p.epsilon, true}, at);
  plain(LayerNormGradientFinishProblem{p.x, p.x.n}, {{parts}, {at.writes[1], at.writes[2]}, {}, false});
}

void CudaSelection::prelu(const PreluProblem &p, const Places &at) {
  Draft d{.type = "Prelu", .function = "prelu"};
  const ::vn::Prelu prelu{map(d, p.x, at.reads[0]), map(d, p.y, at.writes[0]), p.perChannel};
  d.constant.field("x", prelu.x).field("y", prelu.y).field("per_channel", prelu.per_channel);
  d.launch = launch_of(prelu);
  read(d, "x", at.reads[0]);
  read(d, "slope", at.reads[1]);
  write(d, "y", at.writes[0]);
  mayReuse(step(p, d), {0});
}

void CudaSelection::preluGradient(const PreluGradientProblem &p, const Places &at) {
  Draft first{.type = "PreluSums", .function = "prelu_sums"};
  const ::vn::PreluSums sums{map(first, p.x, at.reads[0]), map(first, p.dy, at.reads[1])};
  const int64_t count = int64_t(parts_of(sums)) * p.x.c;
  const Location parts = doubles(count);
  first.constant.field("x", sums.x).field("dy", sums.dy);
  first.chosen = "sums";
  first.launch = launch_of(sums);
  read(first, "x", at.reads[0]);
  read(first, "dy", at.reads[1]);
  write(first, "sums", parts, "double", count);
  step(p, first);

  Draft second;
  second.chosen = "finish of " + std::to_string(parts_of(sums));
  if (p.perChannel) {
    const ::vn::ChannelSumsFinish finish{int(p.x.c), parts_of(sums)};
    second.type = "ChannelSumsFinish";
    second.function = "channel_sums_finish";
    second.constant.field("channels", finish.channels).field("parts", finish.parts);
    second.launch = launch_of(finish);
  } else {
    const ::vn::PreluFinish finish{int(count)};
    second.type = "PreluFinish";
    second.function = "prelu_finish";
    second.constant.field("elements", finish.elements);
    second.launch = launch_of(finish);
  }
  read(second, "parts", parts, "const double", count);
  write(second, "dslope", at.writes[1]);
  step(p, second);

  Draft last{.type = "PreluGradient", .function = "prelu_gradient"};
  const ::vn::PreluGradient gradient{map(last, p.x, at.reads[0]), map(last, p.dy, at.reads[1]),
                                     map(last, p.dx, at.writes[0]), p.perChannel};
  last.constant.field("x", gradient.x).field("dy", gradient.dy).field("dx", gradient.dx);
  last.constant.field("per_channel", gradient.per_channel);
  last.chosen = "apply";
  last.launch = launch_of(gradient);
  read(last, "x", at.reads[0]);
  read(last, "dy", at.reads[1]);
  read(last, "slope", at.reads[2]);
  write(last, "dx", at.writes[0]);
  Step &made = step(p, last);
  mayReuse(made, {1});
  mayReuse(made, {0});
}

} // namespace vernier::codegen
