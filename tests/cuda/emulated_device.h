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
  Result<Stream> create_stream() override;
  void destroy_stream(Stream stream) override;
  Status synchronize(Stream stream) override;
  Status begin_recording(Stream stream) override;
  Result<Recording> end_recording(Stream stream) override;
  Status replay(Recording recording, Stream stream) override;
  void destroy_recording(Recording recording) override;
  Status copy_to_device(void* to, const void* from, std::int64_t bytes) override;
  Status copy_to_host(void* to, const void* from, std::int64_t bytes) override;
  Status copy(void* to, const void* from, std::int64_t bytes, Stream stream) override;
  Status clear(void* memory, std::int64_t bytes, Stream stream) override;
  Status repack_plane(const std::uint8_t* plane, std::int64_t row_blocks, std::int64_t col_blocks,
                      std::uint32_t* out, Stream stream) override;
  Status quantize(const cuda::QuantizeArgs& args, cuda::Method method, Stream stream) override;
  Status multiply(const cuda::ProductArgs& args, const cuda::ProductPlan& plan,
                  Stream stream) override;
  Status multiply_floats(const FloatProductArgs& args, Stream stream) override;
  Status queue_step(const cuda::StepArgs& args, Stream stream) override;
  Status queue_gather(const cuda::GatherArgs& args, Stream stream) override;
  Status elementwise(const ElementwiseArgs& args, Stream stream) override;
  Status move(const MoveArgs& args, Stream stream) override;
  Status softmax(const SoftmaxArgs& args, Stream stream) override;

 private:
  using Work = std::function<void()>;

  bool fails();
  /// Does it, or records it.
  Status queue(Stream stream, Work work);
  void run_product(const cuda::ProductArgs& args, const cuda::ProductPlan& plan);

  std::mutex mutex_;
  std::mt19937_64 rng_{20030822};
  std::map<Stream, std::vector<Work>> recording_;
  std::map<void*, std::int64_t> sizes_;  // of what is taken
  std::int64_t calls_left_ = -1, held_ = 0;
  std::int64_t bytes_ = 0, most_bytes_ = std::int64_t{1} << 40;
};

}  // namespace pbatch::testing
