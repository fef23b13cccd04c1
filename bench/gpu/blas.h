// cuBLAS, as the benchmark's baselines use it.
#pragma once

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "accelerator/device_buffer.h"
#include "bench/gpu/peer_type.h"
#include "cuda/device.h"
#include "pbatch/status.h"

namespace pbatch::bench {

/// Not for several threads at once.
class Blas {
 public:
  static Result<std::unique_ptr<Blas>> open(const std::shared_ptr<cuda::Device>& device);
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  /// The fewest vectors, at least `batch`, that a product of this type takes.
  Result<int> batch_for(PeerType type, int rows, int cols, int batch);
  /// y [batch][rows] = x [batch][cols] W^T, w [rows][cols]: only queued.
  Status multiply(PeerType type, const void* w, const void* x, void* y, int rows, int cols,
                  int batch, cudaStream_t stream);

 private:
  struct Int8Product;
  Blas();
  Result<Int8Product*> int8_product(int rows, int cols, int batch);

  cublasHandle_t blas_ = nullptr;
  cublasLtHandle_t lt_ = nullptr;
  DeviceBuffer workspace_;
  std::map<std::tuple<int, int, int>, std::unique_ptr<Int8Product>> int8_;
};

}  // namespace pbatch::bench
