// The C interface: each function turns exceptions into a status and a message.
#include "vernier/vernier.h"

#include "runtime/Error.h"
#include "runtime/adapt/Adaptive.h"
#include "runtime/core/Session.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Sizes.h"
#include "runtime/io/Weights.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <fmt/core.h>
#include <new>
#include <system_error>
#include <thread>

using namespace vernier::runtime;

struct vn_session {
  Session session;
  std::atomic<bool> busy{false};
};

struct vn_adaptive_session {
  Adaptive adaptive;
  std::atomic<bool> busy{false};
};

static thread_local std::string lastError;
static thread_local const char *lastMessage = ""; // lastError's text, or one that needed no memory

static vn_status failed(vn_status status, const char *prefix, const char *what) noexcept {
  try {
    lastError = prefix;
    lastError += what;
    lastMessage = lastError.c_str();
  } catch (...) {
    lastMessage = "error: out of memory";
  }
  return status;
}

/// The status of what `body` throws.
template <class Body> static vn_status guard(const Body &body) noexcept {
  try {
    body();
    return VN_OK;
  } catch (const Error &error) {
    return failed(error.status(), "", error.what());
  } catch (const std::bad_alloc &) {
    return failed(VN_ERROR_MEMORY, "error: ", "out of memory");
  } catch (const std::length_error &) { // of a container: more than any memory
    return failed(VN_ERROR_MEMORY, "error: ", "out of memory");
  } catch (const std::system_error &error) {
    return failed(VN_ERROR_FILE, "error: ", error.what());
  } catch (const std::exception &error) {
    return failed(VN_ERROR_INTERNAL, "error: ", error.what());
  } catch (...) {
    return failed(VN_ERROR_INTERNAL, "error: ", "an exception of unknown type");
  }
}

static void require(bool condition, const char *what) {
  if (!condition)
    throw Error(VN_ERROR_ARGUMENT, what);
}

namespace {

/// A session, taken for one call.
template <class Handle> class Taken {
public:
  explicit Taken(Handle *handle) : handle(handle) {
    require(handle, "a pointer argument is null");
    if (handle->busy.exchange(true, std::memory_order_acquire))
      throw Error(VN_ERROR_BUSY, "the session is busy: another thread's call has not returned")
          .help("a session serves one call at a time; give each thread a session of its own");
  }
  ~Taken() { handle->busy.store(false, std::memory_order_release); }
  Taken(const Taken &) = delete;
  Taken &operator=(const Taken &) = delete;

  Handle *operator->() const { return handle; }

private:
  Handle *handle;
};

} // namespace

template <class Handle> static void destroy(Handle *handle) noexcept {
  if (!handle)
    return;
  while (handle->busy.exchange(true, std::memory_order_acquire)) // the last call ends first
    std::this_thread::yield();
  delete handle;
}

/// The parameter of a call that passes `count` of its values.
static const vn_parameter &parameterAt(const Session &session, int64_t index, const float *values,
                                       int64_t count) {
  require(index >= 0 && index < session.model().num_parameters, "there is no parameter of this index");
  const vn_parameter &parameter = session.model().parameters[index];
  require(values || count == 0, "a pointer argument is null");
  if (count != elementCount(parameter))
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("{} given for parameter `{}`, which has {}", counted(count, "value"),
                            parameter.name, elementCount(parameter)));
  return parameter;
}

/// The same of one that has a gradient and momentum.
static const vn_parameter &trainedAt(const Session &session, int64_t index, const float *values,
                                     int64_t count) {
  const vn_parameter &parameter = parameterAt(session, index, values, count);
  require(session.trains(), "the session was created for inference");
  require(parameter.space == VN_SPACE_PARAMETERS,
          "a running statistic, and what is frozen, has no gradient and no momentum");
  return parameter;
}

static SessionOptions optionsOf(const vn_session_options *options) {
  if (!options)
    return {.resizable = true};
  for (const int64_t reserved : options->reserved)
    require(reserved == 0, "a reserved option is not 0");
  return {.threads = options->threads,
          .training = options->training != 0,
          .number = options->device,
          .resizable = true};
}

extern "C" {

vn_status vn_session_create(const vn_model *model, const vn_session_options *options, vn_session **session) {
  if (session)
    *session = nullptr;
  return guard([&] {
    require(model && session, "a pointer argument is null");
    *session = new vn_session{Session(*model, optionsOf(options))};
  });
}

void vn_session_destroy(vn_session *session) { destroy(session); }

vn_status vn_session_load_weights(vn_session *session, const char *path) {
  return guard([&] {
    const Taken taken(session);
    require(path, "a pointer argument is null");
    loadWeights(taken->session, Safetensors::read(path), "", std::string(classifierPrefix));
  });
}

vn_status vn_session_read_parameter(vn_session *session, int64_t index, float *values, int64_t count) {
  return guard([&] {
    const Taken taken(session);
    const vn_parameter &parameter = parameterAt(taken->session, index, values, count);
    taken->session.read(parameter, {values, size_t(count)});
  });
}

vn_status vn_session_write_parameter(vn_session *session, int64_t index, const float *values, int64_t count) {
  return guard([&] {
    const Taken taken(session);
    const vn_parameter &parameter = parameterAt(taken->session, index, values, count);
    taken->session.write(parameter, {values, size_t(count)});
  });
}

vn_status vn_session_read_gradient(vn_session *session, int64_t index, float *values, int64_t count) {
  return guard([&] {
    const Taken taken(session);
    const vn_parameter &parameter = trainedAt(taken->session, index, values, count);
    std::ranges::copy(taken->session.readGradient(parameter), values);
  });
}

vn_status vn_session_read_momentum(vn_session *session, int64_t index, float *values, int64_t count) {
  return guard([&] {
    const Taken taken(session);
    const vn_parameter &parameter = trainedAt(taken->session, index, values, count);
    std::ranges::copy(taken->session.readMomentum(parameter), values);
  });
}

vn_status vn_session_write_momentum(vn_session *session, int64_t index, const float *values, int64_t count) {
  return guard([&] {
    const Taken taken(session);
    const vn_parameter &parameter = trainedAt(taken->session, index, values, count);
    taken->session.writeMomentum(parameter, {values, size_t(count)});
  });
}

vn_status vn_session_choose(vn_session *session, const int64_t *choices, int64_t num_choices) {
  return guard([&] {
    const Taken taken(session);
    require(num_choices >= 0, "a count is negative");
    require(choices || num_choices == 0, "a pointer argument is null");
    taken->session.choose({choices, size_t(num_choices)});
  });
}

vn_status vn_session_resize(vn_session *session, int64_t batch, int64_t height, int64_t width) {
  return guard([&] {
    const Taken taken(session);
    taken->session.resize(sizeOf(taken->session.model(), batch, height, width));
  });
}

vn_status vn_session_run(vn_session *session, vn_program_id program, void *const *io, int64_t num_io) {
  return guard([&] {
    const Taken taken(session);
    require(num_io >= 0, "a count is negative");
    require(io, "a pointer argument is null");
    const std::span arrays(io, size_t(num_io));
    switch (std::bit_cast<uint32_t>(program)) { // which C lets be any number
    case VN_PROGRAM_INFER:
      return taken->session.infer(arrays);
    case VN_PROGRAM_TRAIN_STEP:
      return taken->session.trainStep(arrays);
    case VN_PROGRAM_ACCUMULATE:
      return taken->session.accumulate(arrays);
    case VN_PROGRAM_UPDATE:
      return taken->session.update(arrays);
    case VN_PROGRAM_EVALUATE:
      return taken->session.evaluate(arrays);
    }
    throw Error(VN_ERROR_ARGUMENT, "there is no such program");
  });
}

vn_status vn_adaptive_session_create(const vn_adaptive *model, const vn_session_options *options,
                                     vn_adaptive_session **session) {
  if (session)
    *session = nullptr;
  return guard([&] {
    require(model && session, "a pointer argument is null");
    *session = new vn_adaptive_session{Adaptive(*model, optionsOf(options))};
  });
}

void vn_adaptive_session_destroy(vn_adaptive_session *session) { destroy(session); }

vn_status vn_adaptive_session_load_weights(vn_adaptive_session *session, const char *path) {
  return guard([&] {
    const Taken taken(session);
    require(path, "a pointer argument is null");
    taken->adaptive.loadWeights(Safetensors::read(path));
  });
}

vn_status vn_adaptive_session_run(vn_adaptive_session *session, const float *images, int64_t count,
                                  double cost_weight, float *logits, int64_t *chosen) {
  return guard([&] {
    const Taken taken(session);
    require(count >= 0, "a count is negative");
    require(count == 0 || (images && logits), "a pointer argument is null");
    taken->adaptive.setCostWeight(cost_weight);
    taken->adaptive.runAll(images, count, logits, chosen);
  });
}

const char *vn_last_error(void) { return lastMessage; }

} // extern "C"
