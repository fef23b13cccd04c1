#include "factory.h"

#include <memory>

#include "guard.h"
#include "pbatch/pbatch.h"
#include "provider.h"

namespace pbatch::ort {
namespace {

OrtStatus* ORT_API_CALL list_devices(OrtEpFactory* factory, const OrtHardwareDevice* const* devices,
                                     std::size_t count, OrtEpDevice** made, std::size_t most,
                                     std::size_t* made_count) noexcept {
  return guarded([&]() -> Status {
    *made_count = 0;
    for (std::size_t i = 0; i < count && *made_count < most; ++i) {
      if (Ort::GetApi().HardwareDevice_Type(devices[i]) != OrtHardwareDeviceType_CPU) continue;
      Ort::ThrowOnError(Ort::GetEpApi().CreateEpDevice(factory, devices[i], nullptr, nullptr,
                                                       &made[*made_count]));
      ++*made_count;
    }
    return Status::ok();
  });
}

OrtStatus* ORT_API_CALL create_provider(OrtEpFactory*, const OrtHardwareDevice* const*,
                                        const OrtKeyValuePairs* const*, std::size_t,
                                        const OrtSessionOptions* options, const OrtLogger*,
                                        OrtEp** made) noexcept {
  *made = nullptr;
  return guarded([&]() -> Status {
    *made = Provider::create(options).release();
    return Status::ok();
  });
}

}  // namespace

// Memory and streams are those of the CPU.
Factory::Factory() : OrtEpFactory{} {
  ort_version_supported = kApiVersion;
  GetName = [](const OrtEpFactory*) noexcept { return kProviderName; };
  GetVendor = [](const OrtEpFactory*) noexcept { return "pbatch"; };
  GetVendorId = [](const OrtEpFactory*) noexcept { return std::uint32_t{0}; };
  GetVersion = [](const OrtEpFactory*) noexcept { return pbatch_version(); };
  GetSupportedDevices = list_devices;
  CreateEp = create_provider;
  ReleaseEp = [](OrtEpFactory*, OrtEp* ep) noexcept { delete static_cast<Provider*>(ep); };
  CreateAllocator = [](OrtEpFactory*, const OrtMemoryInfo*, const OrtKeyValuePairs*,
                       OrtAllocator** allocator) noexcept {
    *allocator = nullptr;
    return static_cast<OrtStatus*>(nullptr);
  };
  ReleaseAllocator = [](OrtEpFactory*, OrtAllocator*) noexcept {};
  CreateDataTransfer = [](OrtEpFactory*, OrtDataTransferImpl** transfer) noexcept {
    *transfer = nullptr;
    return static_cast<OrtStatus*>(nullptr);
  };
  IsStreamAware = [](const OrtEpFactory*) noexcept { return false; };
}

}  // namespace pbatch::ort
