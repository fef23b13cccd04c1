// Devices by name from C.
#include "api/c_guard.h"
#include "device/devices.h"
#include "pbatch/device.h"
#include "pbatch/pbatch.h"

namespace pbatch {
namespace {

static_assert(static_cast<int>(Device::Kind::cpu) == PBATCH_DEVICE_CPU);
static_assert(static_cast<int>(Device::Kind::cuda) == PBATCH_DEVICE_CUDA);
static_assert(static_cast<int>(Device::Kind::automatic) == PBATCH_DEVICE_AUTO);

}  // namespace
}  // namespace pbatch

extern "C" {

const char* pbatch_device_name(pbatch_device_kind kind) {
  const int number = pbatch::number_in(kind);
  if (number == PBATCH_DEVICE_CPU) return "cpu";
  if (number == PBATCH_DEVICE_AUTO) return "auto";
  const auto* type = pbatch::find_device_type(static_cast<pbatch::Device::Kind>(number));
  return type == nullptr ? nullptr : type->name;
}

pbatch_code pbatch_parse_device(const char* text, pbatch_device_kind* kind, int* index,
                                pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> pbatch::Status {
    if (text == nullptr) return pbatch::null_argument("text");
    if (kind == nullptr) return pbatch::null_argument("kind");
    if (index == nullptr) return pbatch::null_argument("index");
    PBATCH_ASSIGN_OR_RETURN(const pbatch::Device device, pbatch::Device::parse(text));
    *kind = static_cast<pbatch_device_kind>(device.kind);
    *index = device.index;
    return pbatch::Status::ok();
  });
}

}  // extern "C"
