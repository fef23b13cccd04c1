// A device that runs networks beside the CPU, as the rest of the program sees it: memory, an order
// of work, and operations on tensors in its memory. How it lays out matrices, which kernels it has
// and what a queue is to its driver are its own; a device is a folder of src/ and a line of
// device/devices.inc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "accelerator/device_matrix.h"
#include "accelerator/device_product.h"
#include "accelerator/operation_args.h"
#include "accelerator/recurrent_step.h"
#include "accelerator/stream.h"
#include "pbatch/status.h"

namespace pbatch {

/// Calls are safe from many threads, but two threads do not queue on one stream at once. What
/// queues returns at once; the error of work that failed may come out of any later call. Pointers
/// to its memory are for its own calls only.
class Accelerator {
 public:
  virtual ~Accelerator() = default;
  Accelerator(const Accelerator&) = delete;
  Accelerator& operator=(const Accelerator&) = delete;

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
  /// Null is allowed.
  virtual void destroy_recording(Recording recording) = 0;

  /// Done when they return.
  virtual Status copy_to_device(void* to, const void* from, std::int64_t bytes) = 0;
  virtual Status copy_to_host(void* to, const void* from, std::int64_t bytes) = 0;

  /// Memory for a matrix of which there are no planes yet. `row_scale` [rows], of the host.
  virtual Result<std::unique_ptr<DeviceMatrix>> create_matrix(const DeviceMatrixShape& shape,
                                                              const float* row_scale) = 0;
  /// A product with a matrix of this device, which must outlive it and stay where it is. `flag`: a
  /// word of device memory that gets kFlagNotFinite when a vector holds a NaN or an infinity, whose
  /// results then mean nothing.
  virtual Result<std::unique_ptr<DeviceProduct>> create_product(const DeviceMatrix& matrix,
                                                                const ProductSettings& settings,
                                                                std::uint32_t* flag) = 0;

  // All that follows is queued.

  /// Between device memory and memory of allocate_host(), or within the device.
  virtual Status copy(void* to, const void* from, std::int64_t bytes, Stream stream) = 0;
  /// To zeros.
  virtual Status clear(void* memory, std::int64_t bytes, Stream stream) = 0;
  virtual Status multiply_floats(const FloatProductArgs& args, Stream stream) = 0;
  /// A step of a recurrent layer between its products; then `next` quantizes what it multiplies, if
  /// there is one.
  virtual Status step(const RecurrentStepArgs& args, const NextProduct& next, Stream stream) = 0;
  /// Rows of `table` at `weight_bits`, or if it is null of args.floats.
  virtual Status gather_rows(const GatherRowsArgs& args, const DeviceMatrix* table, int weight_bits,
                             Stream stream) = 0;
  virtual Status elementwise(const ElementwiseArgs& args, Stream stream) = 0;
  virtual Status move(const MoveArgs& args, Stream stream) = 0;
  virtual Status softmax(const SoftmaxArgs& args, Stream stream) = 0;

 protected:
  explicit Accelerator(std::string name) : name_(std::move(name)) {}

 private:
  const std::string name_;
};

}  // namespace pbatch
