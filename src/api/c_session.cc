// Loading and describing networks from C.
#include "api/c_session.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>

#include "api/c_guard.h"
#include "pbatch/pbatch.h"

namespace pbatch {
namespace {

static_assert(static_cast<int>(ErrorCode::invalid_argument) == PBATCH_INVALID_ARGUMENT);
static_assert(static_cast<int>(ErrorCode::internal) == PBATCH_INTERNAL);
static_assert(static_cast<int>(DType::f32) == PBATCH_F32);
static_assert(static_cast<int>(DType::i32) == PBATCH_I32);
static_assert(static_cast<int>(DType::boolean) == PBATCH_BOOL);
static_assert(static_cast<int>(FloatBackend::openblas) == PBATCH_BACKEND_OPENBLAS);

Status no_such_index(std::size_t index, std::size_t count) {
  return {ErrorCode::invalid_argument,
          "index " + std::to_string(index) + " is past the end of " + std::to_string(count),
          "ask for the count first"};
}

pbatch_code describe(const std::vector<PortInfo>& ports, std::size_t index, pbatch_port* port,
                     pbatch_error* error) {
  return guard_c(error, [&]() -> Status {
    if (port == nullptr) return null_argument("port");
    if (index >= ports.size()) return no_such_index(index, ports.size());
    const PortInfo& info = ports[index];
    *port = {info.name.c_str(), static_cast<pbatch_dtype>(info.dtype), info.shape.size(),
             info.shape.data()};
    return Status::ok();
  });
}

}  // namespace
}  // namespace pbatch

using pbatch::ErrorCode;
using pbatch::Status;

extern "C" {

const char* pbatch_code_name(pbatch_code code) {
  return pbatch::error_code_name(static_cast<ErrorCode>(pbatch::number_in(code)));
}

const char* pbatch_version(void) { return PBATCH_VERSION; }

size_t pbatch_dtype_size(pbatch_dtype type) {
  const int number = pbatch::number_in(type);
  if (number < PBATCH_F32 || number > PBATCH_BOOL) return 0;
  return pbatch::dtype_size(static_cast<pbatch::DType>(number));
}

pbatch_code pbatch_session_load(const char* path, const pbatch_session_options* options,
                                pbatch_session** session, pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (session == nullptr) return pbatch::null_argument("session");
    *session = nullptr;
    if (path == nullptr) return pbatch::null_argument("path");
    pbatch::SessionOptions chosen;
    if (options != nullptr) {
      const int backend = pbatch::number_in(options->float_backend);
      if (backend < PBATCH_BACKEND_FASTEST || backend > PBATCH_BACKEND_OPENBLAS) {
        return {ErrorCode::invalid_argument, "that float backend does not exist",
                "use a value of pbatch_float_backend"};
      }
      const int device = pbatch::number_in(options->device);
      if (pbatch_device_name(static_cast<pbatch_device_kind>(device)) == nullptr) {
        return {ErrorCode::invalid_argument, "that device does not exist",
                "use a value of pbatch_device_kind"};
      }
      chosen.device = {static_cast<pbatch::Device::Kind>(device), options->device_index};
      chosen.threads = options->threads;
      chosen.float_backend = static_cast<pbatch::FloatBackend>(backend);
      if (options->pool != nullptr) chosen.pool = options->pool->pool;
    }
    PBATCH_ASSIGN_OR_RETURN(pbatch::Session loaded, pbatch::Session::load(path, chosen));
    *session = new pbatch_session(std::move(loaded));
    return Status::ok();
  });
}

void pbatch_session_free(pbatch_session* session) { delete session; }

pbatch_code pbatch_session_device(const pbatch_session* session, pbatch_device_info* info,
                                  pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (session == nullptr) return pbatch::null_argument("session");
    if (info == nullptr) return pbatch::null_argument("info");
    const pbatch::DeviceInfo& device = session->session.device();
    *info = {static_cast<pbatch_device_kind>(device.device.kind), device.device.index,
             device.name.c_str(), device.reason.c_str()};
    return Status::ok();
  });
}

size_t pbatch_input_count(const pbatch_session* session) {
  return session == nullptr ? 0 : session->session.inputs().size();
}

size_t pbatch_required_input_count(const pbatch_session* session) {
  if (session == nullptr) return 0;
  const std::vector<pbatch::PortInfo>& inputs = session->session.inputs();
  return static_cast<size_t>(
      std::count_if(inputs.begin(), inputs.end(), [](const auto& port) { return !port.optional; }));
}

size_t pbatch_output_count(const pbatch_session* session) {
  return session == nullptr ? 0 : session->session.outputs().size();
}

pbatch_code pbatch_input(const pbatch_session* session, size_t index, pbatch_port* port,
                         pbatch_error* error) {
  if (session == nullptr) return pbatch::report_to_c(pbatch::null_argument("session"), error);
  return pbatch::describe(session->session.inputs(), index, port, error);
}

pbatch_code pbatch_output(const pbatch_session* session, size_t index, pbatch_port* port,
                          pbatch_error* error) {
  if (session == nullptr) return pbatch::report_to_c(pbatch::null_argument("session"), error);
  return pbatch::describe(session->session.outputs(), index, port, error);
}

size_t pbatch_layer_count(const pbatch_session* session) {
  return session == nullptr ? 0 : session->session.layers().size();
}

pbatch_code pbatch_layer_at(const pbatch_session* session, size_t index, pbatch_layer* layer,
                            pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (session == nullptr) return pbatch::null_argument("session");
    if (layer == nullptr) return pbatch::null_argument("layer");
    const auto& layers = session->session.layers();
    if (index >= layers.size()) return pbatch::no_such_index(index, layers.size());
    const pbatch::LayerInfo& info = layers[index];
    *layer = {info.name.c_str(),
              info.op_type.c_str(),
              info.rows,
              info.cols,
              info.group,
              info.planes_stored,
              info.planes_available,
              info.min_weight_bits,
              info.plane_bytes,
              info.scale_bytes};
    return Status::ok();
  });
}

int pbatch_max_weight_bits(const pbatch_session* session) {
  return session == nullptr ? 0 : session->session.max_weight_bits();
}

}  // extern "C"
