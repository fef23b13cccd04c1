#include <string>

#include "cuda/check.cuh"
#include "cuda/cuda_stream.cuh"
#include "cuda/launch.h"

namespace pbatch::cuda {
namespace {

std::string mebibytes(std::int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

std::size_t size_of(std::int64_t bytes) { return static_cast<std::size_t>(bytes > 0 ? bytes : 1); }

cudaGraphExec_t graph_of(Recording recording) {
  return reinterpret_cast<cudaGraphExec_t>(recording);
}

class CudaDevice final : public Device {
 public:
  CudaDevice(int index, const DeviceLimits& limits, std::string name)
      : Device(limits, std::move(name)), index_(index) {}

  Status use() override { return status_of(cudaSetDevice(index_), "opening it"); }

  Result<void*> allocate(std::int64_t bytes) override {
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, size_of(bytes));
    if (error == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      std::size_t free = 0, all = 0;
      PBATCH_CUDA_CALL(cudaMemGetInfo(&free, &all), "asking for its free memory");
      return Status(ErrorCode::out_of_memory,
                    "the GPU cannot give " + mebibytes(bytes) + ": " +
                        mebibytes(static_cast<std::int64_t>(free)) + " are free",
                    "use fewer bits, smaller batches, or another GPU");
    }
    PBATCH_CUDA_CALL(error, "taking memory");
    return memory;
  }
  void release(void* memory) override { (void)cudaFree(memory); }

  Result<void*> allocate_host(std::int64_t bytes) override {
    void* memory = nullptr;
    const cudaError_t error = cudaMallocHost(&memory, size_of(bytes));
    if (error == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      return Status(ErrorCode::out_of_memory,
                    "the system cannot give " + mebibytes(bytes) + " that stay in memory",
                    "use smaller batches, or free memory");
    }
    PBATCH_CUDA_CALL(error, "taking memory of the host");
    return memory;
  }
  void release_host(void* memory) override { (void)cudaFreeHost(memory); }

  Result<Stream> create_stream() override {
    cudaStream_t stream = nullptr;
    PBATCH_CUDA_CALL(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
    return reinterpret_cast<Stream>(stream);
  }
  void destroy_stream(Stream stream) override {
    if (stream != nullptr) (void)cudaStreamDestroy(cuda_stream(stream));
  }
  Status synchronize(Stream stream) override {
    return status_of(cudaStreamSynchronize(cuda_stream(stream)), "computing");
  }

  Status begin_recording(Stream stream) override {
    return status_of(cudaStreamBeginCapture(cuda_stream(stream), cudaStreamCaptureModeThreadLocal),
                     "recording a graph");
  }
  Result<Recording> end_recording(Stream stream) override {
    cudaGraph_t graph = nullptr;
    PBATCH_CUDA_CALL(cudaStreamEndCapture(cuda_stream(stream), &graph), "recording a graph");
    cudaGraphExec_t recording = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&recording, graph, 0);
    (void)cudaGraphDestroy(graph);
    PBATCH_CUDA_CALL(error, "making a graph");
    return reinterpret_cast<Recording>(recording);
  }
  Status replay(Recording recording, Stream stream) override {
    return status_of(cudaGraphLaunch(graph_of(recording), cuda_stream(stream)),
                     "launching a graph");
  }
  void destroy_recording(Recording recording) override {
    if (recording != nullptr) (void)cudaGraphExecDestroy(graph_of(recording));
  }

  Status copy_to_device(void* to, const void* from, std::int64_t bytes) override {
    PBATCH_CUDA_CALL(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice),
                     "copying to it");
    // From pageable memory it returns when `from` may be reused; our streams, which do not wait for
    // the default one, could still read what was there before.
    return status_of(cudaStreamSynchronize(nullptr), "copying to it");
  }
  Status copy_to_host(void* to, const void* from, std::int64_t bytes) override {
    return status_of(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost),
                     "copying from it");
  }
  Status copy(void* to, const void* from, std::int64_t bytes, Stream stream) override {
    if (bytes == 0) return Status::ok();
    return status_of(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDefault,
                                     cuda_stream(stream)),
                     "copying");
  }
  Status clear(void* memory, std::int64_t bytes, Stream stream) override {
    if (bytes == 0) return Status::ok();
    return status_of(
        cudaMemsetAsync(memory, 0, static_cast<std::size_t>(bytes), cuda_stream(stream)),
        "clearing memory");
  }

  Status repack_plane(const std::uint8_t* plane, std::int64_t row_blocks, std::int64_t col_blocks,
                      std::uint32_t* out, Stream stream) override {
    return launch_repack_plane(plane, row_blocks, col_blocks, out, stream);
  }
  Status quantize(const QuantizeArgs& args, Method method, Stream stream) override {
    return launch_quantize(args, method, stream);
  }
  Status multiply(const ProductArgs& args, const ProductPlan& plan, Stream stream) override {
    return launch_product(args, plan, stream);
  }
  Status multiply_floats(const FloatProductArgs& args, Stream stream) override {
    return launch_float_product(args, stream);
  }
  Status queue_step(const StepArgs& args, Stream stream) override {
    return launch_step(args, stream);
  }
  Status queue_gather(const GatherArgs& args, Stream stream) override {
    return launch_gather_rows(args, stream);
  }
  Status elementwise(const ElementwiseArgs& args, Stream stream) override {
    return launch_elementwise(args, stream);
  }
  Status move(const MoveArgs& args, Stream stream) override { return launch_move(args, stream); }
  Status softmax(const SoftmaxArgs& args, Stream stream) override {
    return launch_softmax(args, stream);
  }

 private:
  const int index_;
};

}  // namespace

Status status_of(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return Status::ok();
  (void)cudaGetLastError();  // it would come out of the next launch
  const std::string text = cudaGetErrorString(error);
  switch (error) {
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInvalidDevice:
    case cudaErrorStubLibrary:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      return {ErrorCode::unsupported, "no usable NVIDIA GPU: " + text,
              "check the driver with nvidia-smi, or run on the CPU"};
    case cudaErrorMemoryAllocation:
      return {ErrorCode::out_of_memory, std::string("the GPU has no memory left for ") + doing,
              "use fewer bits, smaller batches, or another GPU"};
    default:
      return {ErrorCode::internal, std::string("the GPU failed while ") + doing + ": " + text,
              "run on the CPU; please report it"};
  }
}

Result<std::shared_ptr<Device>> open_device(int index) {
  PBATCH_CUDA_CALL(cudaSetDevice(index), "opening it");
  cudaDeviceProp properties = {};
  PBATCH_CUDA_CALL(cudaGetDeviceProperties(&properties, index), "reading its properties");
  DeviceLimits limits;
  limits.capability = 10 * properties.major + properties.minor;
  limits.processors = properties.multiProcessorCount;
  limits.shared_per_block = static_cast<std::int64_t>(properties.sharedMemPerBlockOptin);
  limits.shared_per_processor = static_cast<std::int64_t>(properties.sharedMemPerMultiprocessor);
  if (limits.capability < 75) {
    return Status(ErrorCode::unsupported,
                  std::string(properties.name) + " has compute capability " +
                      std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                      "; 7.5 is needed",
                  "use a GPU of 2018 or later, or run on the CPU");
  }
  return std::shared_ptr<Device>(std::make_shared<CudaDevice>(index, limits, properties.name));
}

}  // namespace pbatch::cuda
