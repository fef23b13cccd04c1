#include "tests/cuda/emulated_device.h"

#include <cstring>
#include <memory>
#include <new>

#include "cuda/elementwise.h"
#include "cuda/float_product.h"
#include "cuda/recurrent_unit.h"
#include "cuda/softmax.h"
#include "tests/cuda/emulated_product.h"

namespace pbatch::testing {
namespace {

constexpr std::align_val_t kAlignment{256};

cuda::DeviceLimits limits_of(int capability, int processors) {
  cuda::DeviceLimits limits;
  limits.capability = capability;
  limits.processors = processors;
  limits.shared_per_block = 227 * 1024;
  limits.shared_per_processor = 228 * 1024;
  return limits;
}

}  // namespace

EmulatedDevice::EmulatedDevice(int capability, int processors)
    : Device(limits_of(capability, processors), "emulated") {}

EmulatedDevice::~EmulatedDevice() = default;

bool EmulatedDevice::fails() {
  const std::lock_guard lock(mutex_);
  if (calls_left_ < 0) return false;
  return calls_left_-- == 0;
}

Status EmulatedDevice::queue(Stream stream, Work work) {
  if (fails()) return {ErrorCode::internal, "the emulated GPU was told to fail", "stop testing"};
  const std::lock_guard lock(mutex_);
  const auto recording = recording_.find(stream);
  if (recording != recording_.end()) {
    recording->second.push_back(std::move(work));
  } else {
    work();
  }
  return Status::ok();
}

Status EmulatedDevice::use() {
  if (fails()) return {ErrorCode::internal, "the emulated GPU was told to fail", "stop testing"};
  return Status::ok();
}

Result<void*> EmulatedDevice::allocate(std::int64_t bytes) {
  if (fails()) return Status(ErrorCode::out_of_memory, "the emulated GPU is full", "stop testing");
  const std::lock_guard lock(mutex_);
  if (bytes_ + bytes > most_bytes_) {
    return Status(ErrorCode::out_of_memory, "the emulated GPU is full", "stop testing");
  }
  const auto size = static_cast<std::size_t>(bytes);
  void* const memory = ::operator new(size, kAlignment);
  std::memset(memory, 0xcb, size);  // as floats, large
  sizes_[memory] = bytes;
  bytes_ += bytes;
  ++held_;
  return memory;
}

void EmulatedDevice::release(void* memory) {
  if (memory == nullptr) return;
  const std::lock_guard lock(mutex_);
  bytes_ -= sizes_.at(memory);
  sizes_.erase(memory);
  ::operator delete(memory, kAlignment);
  --held_;
}

Result<void*> EmulatedDevice::allocate_host(std::int64_t bytes) { return allocate(bytes); }
void EmulatedDevice::release_host(void* memory) { release(memory); }

Result<Stream> EmulatedDevice::create_stream() {
  PBATCH_ASSIGN_OR_RETURN(void* memory, allocate(1));
  return reinterpret_cast<Stream>(memory);
}
void EmulatedDevice::destroy_stream(Stream stream) { release(stream); }

Status EmulatedDevice::synchronize(Stream) { return use(); }

Status EmulatedDevice::begin_recording(Stream stream) {
  PBATCH_RETURN_IF_ERROR(use());
  const std::lock_guard lock(mutex_);
  recording_[stream].clear();
  return Status::ok();
}

Result<Recording> EmulatedDevice::end_recording(Stream stream) {
  auto work = std::make_unique<std::vector<Work>>();
  {
    const std::lock_guard lock(mutex_);
    *work = std::move(recording_.at(stream));
    recording_.erase(stream);
  }
  PBATCH_RETURN_IF_ERROR(use());
  const std::lock_guard lock(mutex_);
  ++held_;
  return reinterpret_cast<Recording>(work.release());
}

Status EmulatedDevice::replay(Recording recording, Stream) {
  PBATCH_RETURN_IF_ERROR(use());
  const std::lock_guard lock(mutex_);
  for (const Work& work : *reinterpret_cast<std::vector<Work>*>(recording)) work();
  return Status::ok();
}

void EmulatedDevice::destroy_recording(Recording recording) {
  if (recording == nullptr) return;
  delete reinterpret_cast<std::vector<Work>*>(recording);
  const std::lock_guard lock(mutex_);
  --held_;
}

Status EmulatedDevice::copy_to_device(void* to, const void* from, std::int64_t bytes) {
  return copy(to, from, bytes, nullptr);
}
Status EmulatedDevice::copy_to_host(void* to, const void* from, std::int64_t bytes) {
  return copy(to, from, bytes, nullptr);
}
Status EmulatedDevice::copy(void* to, const void* from, std::int64_t bytes, Stream stream) {
  return queue(stream, [=] { std::memcpy(to, from, static_cast<std::size_t>(bytes)); });
}
Status EmulatedDevice::clear(void* memory, std::int64_t bytes, Stream stream) {
  return queue(stream, [=] { std::memset(memory, 0, static_cast<std::size_t>(bytes)); });
}

Status EmulatedDevice::repack_plane(const std::uint8_t* plane, std::int64_t row_blocks,
                                    std::int64_t col_blocks, std::uint32_t* out, Stream stream) {
  return queue(stream, [=] { cuda::repack_plane(plane, row_blocks, col_blocks, out); });
}

Status EmulatedDevice::quantize(const cuda::QuantizeArgs& args, cuda::Method method,
                                Stream stream) {
  return queue(stream, [=] { run_quantizer(args, method); });
}

void EmulatedDevice::run_product(const cuda::ProductArgs& args, const cuda::ProductPlan& plan) {
  const Cut cut{plan.warps, plan.splits};
  switch (plan.method) {
    case cuda::Method::bits:
      return testing::run_product<Bits>(args, cut, rng_);
    case cuda::Method::bytes:
      return testing::run_product<Bytes>(args, cut, rng_);
    case cuda::Method::gemm:
      return testing::run_product<Gemm>(args, cut, rng_);
  }
}

Status EmulatedDevice::multiply(const cuda::ProductArgs& args, const cuda::ProductPlan& plan,
                                Stream stream) {
  return queue(stream, [=, this] { run_product(args, plan); });
}

Status EmulatedDevice::multiply_floats(const FloatProductArgs& args, Stream stream) {
  return queue(stream, [=] {
    for (std::int64_t item = 0; item < args.rows * args.batch; ++item) {
      cuda::float_product_row<cuda::HostWarp>(args, item);
    }
  });
}

Status EmulatedDevice::queue_step(const cuda::StepArgs& args, Stream stream) {
  return queue(stream, [=] {
    for (int vector = 0; vector < args.batch; ++vector) {
      // Units depend on no other.
      for (std::int64_t unit = args.padded; unit-- > 0;) cuda::step_unit(args, vector, unit);
    }
    if (args.quantizes) run_quantizer(args.quantize, args.method);
  });
}

Status EmulatedDevice::queue_gather(const cuda::GatherArgs& args, Stream stream) {
  return queue(stream, [=] {
    for (std::int64_t i = 0; i < args.count * args.cols; ++i) cuda::gather_element(args, i);
  });
}

Status EmulatedDevice::elementwise(const ElementwiseArgs& args, Stream stream) {
  return queue(stream, [=] {
    for (std::int64_t i = 0; i < args.count; ++i) cuda::compute_element(args, i);
  });
}

Status EmulatedDevice::move(const MoveArgs& args, Stream stream) {
  return queue(stream, [=] {
    for (std::int64_t i = 0; i < args.count; ++i) cuda::move_element(args, i);
  });
}

Status EmulatedDevice::softmax(const SoftmaxArgs& args, Stream stream) {
  return queue(stream, [=] {
    for (std::int64_t row = 0; row < args.rows; ++row) {
      cuda::softmax_row<cuda::HostWarp>(args, row);
    }
  });
}

}  // namespace pbatch::testing
