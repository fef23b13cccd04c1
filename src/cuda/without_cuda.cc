// runtime.h in a build without CUDA. With it, runtime.cu and the kernels stand in.
#if !defined(PBATCH_CUDA)
#include "cuda/runtime.h"

namespace pbatch::cuda {
namespace {

Status absent() {
  return {ErrorCode::unsupported, "this build of pbatch has no GPU kernels",
          "build it with cmake --preset cuda, or run on the CPU"};
}

}  // namespace

Result<DeviceLimits> open_device(int) { return absent(); }
Result<void*> allocate(std::int64_t) { return absent(); }
void release(void*) {}
Status copy_to_device(void*, const void*, std::int64_t) { return absent(); }
Status copy_to_host(void*, const void*, std::int64_t) { return absent(); }
Status clear(void*, std::int64_t, Stream) { return absent(); }
Status synchronize(Stream) { return absent(); }
Status launch_repack_plane(const std::uint8_t*, std::int64_t, std::int64_t, std::uint32_t*,
                           Stream) {
  return absent();
}
Status launch_quantize(const QuantizeArgs&, Method, Stream) { return absent(); }
Status launch_product(const ProductArgs&, const ProductPlan&, Stream) { return absent(); }

}  // namespace pbatch::cuda
#endif
