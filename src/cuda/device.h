// A device as the rest of the program sees it: memory, an order of work, and the kernels. There are
// two: an NVIDIA GPU (open_device) and, in the tests, one that emulates its kernels on the host.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cuda/elementwise.h"
#include "cuda/float_product.h"
#include "cuda/gather_rows.h"
#include "cuda/product_args.h"
#include "cuda/product_plan.h"
#include "cuda/quantize_vector.h"
#include "cuda/recurrent_step.h"
#include "cuda/softmax.h"
#include "pbatch/status.h"

struct CUstream_st;
struct CUgraphExec_st;

namespace pbatch::cuda {

/// A cudaStream_t: work that is queued on one is done in its order.
using Stream = ::CUstream_st*;
/// A cudaGraphExec_t: work that was recorded, to be queued again and again as a whole.
using Recording = ::CUgraphExec_st*;

/// Calls are safe from many threads, but two threads do not queue on one stream at once. What
/// queues returns at once; the error of work that failed may come out of any later call.
class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const DeviceLimits& limits() const { return limits_; }
  /// e.g. "NVIDIA H100 80GB HBM3".
  const std::string& name() const { return name_; }

  /// Must be called by a thread before its first other call.
  virtual Status use() = 0;

  /// Device memory, aligned to 256 bytes. out_of_memory: it tells how much was asked for and is
  /// free.
  virtual Result<void*> allocate(std::int64_t bytes) = 0;
  /// Null is allowed. What still uses the memory ends first.
  virtual void release(void* memory) = 0;
  /// The host's memory from which and to which copies can be queued.
  virtual Result<void*> allocate_host(std::int64_t bytes) = 0;
  virtual void release_host(void* memory) = 0;

  virtual Result<Stream> create_stream() = 0;
  /// Null is allowed.
  virtual void destroy_stream(Stream stream) = 0;
  /// Waits for the stream's work and returns its error, if any.
  virtual Status synchronize(Stream stream) = 0;

  /// From now on what is queued on `stream` is recorded and not done.
  virtual Status begin_recording(Stream stream) = 0;
  /// Always called after begin_recording(), after an error, too.
  virtual Result<Recording> end_recording(Stream stream) = 0;
  virtual Status replay(Recording recording, Stream stream) = 0;
  virtual void destroy_recording(Recording recording) = 0;

  /// Done when they return.
  virtual Status copy_to_device(void* to, const void* from, std::int64_t bytes) = 0;
  virtual Status copy_to_host(void* to, const void* from, std::int64_t bytes) = 0;

  // All that follows is queued.

  /// Between device memory and memory of allocate_host(), or within the device.
  virtual Status copy(void* to, const void* from, std::int64_t bytes, Stream stream) = 0;
  /// To zeros.
  virtual Status clear(void* memory, std::int64_t bytes, Stream stream) = 0;
  /// Rewrites a plane, in device memory, from the canonical order (repack.h): `plane` [row_blocks]
  /// [col_blocks][64] bytes, `out` plane_words() words.
  virtual Status repack_plane(const std::uint8_t* plane, std::int64_t row_blocks,
                              std::int64_t col_blocks, std::uint32_t* out, Stream stream) = 0;
  /// Quantizes and packs for the method.
  virtual Status quantize(const QuantizeArgs& args, Method method, Stream stream) = 0;
  /// Multiplies, with a plan made for the shape of `args` and this device.
  virtual Status multiply(const ProductArgs& args, const ProductPlan& plan, Stream stream) = 0;
  virtual Status multiply_floats(const FloatProductArgs& args, Stream stream) = 0;
  virtual Status step(const RecurrentStepArgs& args, Stream stream) = 0;
  virtual Status gather_rows(const GatherRowsArgs& args, Stream stream) = 0;
  virtual Status elementwise(const ElementwiseArgs& args, Stream stream) = 0;
  virtual Status move(const MoveArgs& args, Stream stream) = 0;
  virtual Status softmax(const SoftmaxArgs& args, Stream stream) = 0;

 protected:
  Device(const DeviceLimits& limits, std::string name) : limits_(limits), name_(std::move(name)) {}

 private:
  const DeviceLimits limits_;
  const std::string name_;
};

/// The GPU `index`. unsupported: this build has no GPU kernels, there is no driver, no such device,
/// or it is older than compute capability 7.5.
Result<std::shared_ptr<Device>> open_device(int index);

}  // namespace pbatch::cuda
