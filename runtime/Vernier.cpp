// The C interface: each function turns exceptions into a status and a message.
#include "vernier/vernier.h"

#include "runtime/Error.h"
#include "runtime/adapt/Adaptive.h"
#include "runtime/core/Session.h"
#include "runtime/io/Weights.h"

#include <new>

using namespace vernier::runtime;

struct vn_session {
  Session session;
};

struct vn_adaptive_session {
  Adaptive adaptive;
};

static thread_local std::string lastError;

template <class Body> static vn_status guard(Body body) {
  try {
    body();
    return VN_OK;
  } catch (const Error &error) {
    lastError = error.what();
    return error.status();
  } catch (const std::bad_alloc &) {
    lastError = "error: out of memory";
    return VN_ERROR_MEMORY;
  } catch (const std::exception &error) {
    lastError = std::string("error: ") + error.what();
    return VN_ERROR_FILE;
  }
}

static void require(bool condition, const char *what) {
  if (!condition)
    throw Error(VN_ERROR_ARGUMENT, what);
}

static const vn_parameter &parameterAt(vn_session *session, int64_t index, float **values, int64_t *count) {
  require(session && values && count, "a pointer argument is null");
  require(index >= 0 && index < session->session.model().num_parameters,
          "there is no parameter of this index");
  return session->session.model().parameters[index];
}

extern "C" {

vn_status vn_session_create(const vn_model *model, int64_t threads, int64_t training, vn_session **session) {
  return guard([&] {
    require(model && session, "a pointer argument is null");
    *session = nullptr;
    *session = new vn_session{Session(*model, {.threads = threads, .training = training != 0})};
  });
}

void vn_session_destroy(vn_session *session) { delete session; }

vn_status vn_session_load_weights(vn_session *session, const char *path) {
  return guard([&] {
    require(session && path, "a pointer argument is null");
    loadWeights(session->session, Safetensors::read(path), "", std::string(classifierPrefix));
  });
}

vn_status vn_session_parameter(vn_session *session, int64_t index, float **values, int64_t *count) {
  return guard([&] {
    const vn_parameter &parameter = parameterAt(session, index, values, count);
    const auto span = session->session.values(parameter);
    *values = span.data(), *count = int64_t(span.size());
  });
}

vn_status vn_session_gradient(vn_session *session, int64_t index, float **values, int64_t *count) {
  return guard([&] {
    const vn_parameter &parameter = parameterAt(session, index, values, count);
    require(session->session.trains(), "the session was created for inference");
    require(parameter.space == VN_SPACE_PARAMETERS, "a running statistic has no gradient");
    const auto span = session->session.gradient(parameter);
    *values = span.data(), *count = int64_t(span.size());
  });
}

vn_status vn_session_weights_changed(vn_session *session) {
  return guard([&] {
    require(session, "a pointer argument is null");
    session->session.weightsChanged();
  });
}

vn_status vn_session_choose(vn_session *session, const int64_t *choices, int64_t num_choices) {
  return guard([&] {
    require(session && (choices || num_choices == 0) && num_choices >= 0, "a pointer argument is null");
    session->session.choose({choices, size_t(num_choices)});
  });
}

vn_status vn_session_run(vn_session *session, vn_program_id program, void *const *io, int64_t num_io) {
  return guard([&] {
    require(session && io && num_io >= 0, "a pointer argument is null");
    require(program == VN_PROGRAM_INFER || program == VN_PROGRAM_TRAIN_STEP, "there is no such program");
    if (program == VN_PROGRAM_INFER)
      session->session.infer({io, size_t(num_io)});
    else
      session->session.trainStep({io, size_t(num_io)});
  });
}

vn_status vn_adaptive_session_create(const vn_adaptive *model, int64_t threads,
                                     vn_adaptive_session **session) {
  return guard([&] {
    require(model && session, "a pointer argument is null");
    *session = nullptr;
    *session = new vn_adaptive_session{Adaptive(*model, threads)};
  });
}

void vn_adaptive_session_destroy(vn_adaptive_session *session) { delete session; }

vn_status vn_adaptive_session_load_weights(vn_adaptive_session *session, const char *path) {
  return guard([&] {
    require(session && path, "a pointer argument is null");
    session->adaptive.loadWeights(Safetensors::read(path));
  });
}

vn_status vn_adaptive_session_run(vn_adaptive_session *session, const float *images, int64_t count,
                                  double cost_weight, float *logits, int64_t *chosen) {
  return guard([&] {
    require(session && count >= 0 && (count == 0 || (images && logits)), "a pointer argument is null");
    session->adaptive.setCostWeight(cost_weight);
    session->adaptive.runAll(images, count, logits, chosen);
  });
}

const char *vn_last_error(void) { return lastError.c_str(); }

} // extern "C"
