#include <string>

#include "cuda/check.cuh"
#include "cuda/runtime.h"

namespace pbatch::cuda {
namespace {

std::string mebibytes(std::int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Status status_of(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return Status::ok();
  const std::string text = cudaGetErrorString(error);
  switch (error) {
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInvalidDevice:
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

Result<DeviceLimits> open_device(int index) {
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
  return limits;
}

Result<void*> allocate(std::int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<std::size_t>(bytes > 0 ? bytes : 1));
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // it would come out of the next launch
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

void release(void* memory) { (void)cudaFree(memory); }

Status copy_to_device(void* to, const void* from, std::int64_t bytes) {
  return status_of(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice),
                   "copying to it");
}

Status copy_to_host(void* to, const void* from, std::int64_t bytes) {
  return status_of(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost),
                   "copying from it");
}

Status clear(void* memory, std::int64_t bytes, Stream stream) {
  return status_of(cudaMemsetAsync(memory, 0, static_cast<std::size_t>(bytes), stream),
                   "clearing memory");
}

Status synchronize(Stream stream) { return status_of(cudaStreamSynchronize(stream), "computing"); }

}  // namespace pbatch::cuda
