// What ONNX Runtime looks up in the library.
#include <memory>

#include "custom_ops.h"
#include "factory.h"
#include "guard.h"
#include "pbatch/export.h"

namespace pbatch::ort {
namespace {

// False, with *status saying why, for an ONNX Runtime that is too old.
bool set_api(const OrtApiBase* base, OrtStatus** status) {
  const OrtApi* const api = base->GetApi(kApiVersion);
  if (api == nullptr) {
    *status = base->GetApi(1)->CreateStatus(
        ORT_NOT_IMPLEMENTED,
        "pbatch: this ONNX Runtime has no plug-ins that compile nodes; "
        "use version 1.23 or later");
    return false;
  }
  Ort::InitApi(api);
  return true;
}

}  // namespace
}  // namespace pbatch::ort

extern "C" {

PBATCH_API OrtStatus* CreateEpFactories(const char*, const OrtApiBase* base, const OrtLogger*,
                                        OrtEpFactory** factories, size_t most, size_t* count) {
  OrtStatus* status = nullptr;
  *count = 0;
  if (!pbatch::ort::set_api(base, &status)) return status;
  return pbatch::ort::guarded([&]() -> pbatch::Status {
    if (most < 1) {
      return {pbatch::ErrorCode::invalid_argument, "there is no place for a factory",
              "register the library through ONNX Runtime"};
    }
    factories[0] = std::make_unique<pbatch::ort::Factory>().release();
    *count = 1;
    return pbatch::Status::ok();
  });
}

PBATCH_API OrtStatus* ReleaseEpFactory(OrtEpFactory* factory) {
  delete static_cast<pbatch::ort::Factory*>(factory);
  return nullptr;
}

PBATCH_API OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options,
                                                     const OrtApiBase* base) {
  OrtStatus* status = nullptr;
  if (!pbatch::ort::set_api(base, &status)) return status;
  return pbatch::ort::guarded([&] {
    pbatch::ort::add_operators(options);
    return pbatch::Status::ok();
  });
}
}
