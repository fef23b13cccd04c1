// A device that is the host: memory of exact sizes, so that the sanitizers see who reaches beyond,
// and the kernels' own code run by emulated warps. It can be made to fail.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <vector>

#include "cuda/device.h"

namespace pbatch::testing {

class EmulatedDevice final : public cuda::Device {
 public:
  /// capability: 80 has a unit for bits, 100 has none. `processors` decides how products are cut.
  explicit EmulatedDevice(int capability = 80, int processors = 4);
  ~EmulatedDevice() override;

  /// After so many more calls that can fail, one fails, with out_of_memory if it allocates and with
  /// internal otherwise; negative: none does.
  void fail_after(std::int64_t calls) { calls_left_ = calls; }
  /// From now on it has no more memory than so many bytes, with what is taken already.
  void limit_memory(std::int64_t bytes) { most_bytes_ = bytes; }
  std::int64_t bytes() const { return bytes_; }
  /// Allocations of the device's and the host's memory that nobody has given back, and streams and
  /// recordings.
  std::int64_t held() const { return held_; }

  Status use() override;
  Result<void*> allocate(std::int64_t bytes) override;
  void release(void* memory) override;
  Result<void*> allocate_host(std::int64_t bytes) override;
  void release_host(void* memory) override;
  Result<cuda::Stream> create_stream() override;
  void destroy_stream(cuda::Stream stream) override;
  Status synchronize(cuda::Stream stream) override;
  Status begin_recording(cuda::Stream stream) override;
  Result<cuda::Recording> end_recording(cuda::Stream stream) override;
  Status replay(cuda::Recording recording, cuda::Stream stream) override;
  void destroy_recording(cuda::Recording recording) override;
  Status copy_to_device(void* to, const void* from, std::int64_t bytes) override;
  Status copy_to_host(void* to, const void* from, std::int64_t bytes) override;
  Status copy(void* to, const void* from, std::int64_t bytes, cuda::Stream stream) override;
  Status clear(void* memory, std::int64_t bytes, cuda::Stream stream) override;
  Status repack_plane(const std::uint8_t* plane, std::int64_t row_blocks, std::int64_t col_blocks,
                      std::uint32_t* out, cuda::Stream stream) override;
  Status quantize(const cuda::QuantizeArgs& args, cuda::Method method,
                  cuda::Stream stream) override;
  Status multiply(const cuda::ProductArgs& args, const cuda::ProductPlan& plan,
                  cuda::Stream stream) override;
  Status multiply_floats(const cuda::FloatProductArgs& args, cuda::Stream stream) override;
  Status step(const cuda::RecurrentStepArgs& args, cuda::Stream stream) override;
  Status gather_rows(const cuda::GatherRowsArgs& args, cuda::Stream stream) override;
  Status elementwise(const cuda::ElementwiseArgs& args, cuda::Stream stream) override;
  Status move(const cuda::MoveArgs& args, cuda::Stream stream) override;
  Status softmax(const cuda::SoftmaxArgs& args, cuda::Stream stream) override;

 private:
  using Work = std::function<void()>;

  bool fails();
  /// Does it, or records it.
  Status queue(cuda::Stream stream, Work work);
  void run_product(const cuda::ProductArgs& args, const cuda::ProductPlan& plan);

  std::mutex mutex_;
  std::mt19937_64 rng_{20030822};
  std::map<cuda::Stream, std::vector<Work>> recording_;
  std::map<void*, std::int64_t> sizes_;  // of what is taken
  std::int64_t calls_left_ = -1, held_ = 0;
  std::int64_t bytes_ = 0, most_bytes_ = std::int64_t{1} << 40;
};

}  // namespace pbatch::testing
