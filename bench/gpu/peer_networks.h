// The networks of the end-to-end benchmark by cuBLAS and by plain float16 kernels: the baselines.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <vector>

#include "bench/gpu/blas.h"

namespace pbatch::bench {

/// The products of a network: cuBLAS's of a type, or the plain float16 GEMV, for one vector only.
struct PeerKind {
  PeerType type = PeerType::float32;
  bool plain_gemv = false;
  const char* name() const { return plain_gemv ? "plain float16 gemv" : peer_name(type); }
};

class PeerNetwork {
 public:
  virtual ~PeerNetwork() = default;
  virtual Status queue(cudaStream_t stream) = 0;
  /// Of the last run, [batch][..]; waits for it.
  virtual Result<std::vector<float>> outputs() = 0;
  /// The same by the host in float32.
  virtual std::vector<float> expected() const = 0;
};

/// As make_bit_mlp and make_bit_lstm; weights are -1, 0 and 1 times a power of two, which every
/// type holds exactly.
Result<std::unique_ptr<PeerNetwork>> make_peer_mlp(const std::shared_ptr<cuda::Device>& device,
                                                   Blas& blas, const PeerKind& kind,
                                                   const std::vector<int>& sizes, int batch);
Result<std::unique_ptr<PeerNetwork>> make_peer_lstm(const std::shared_ptr<cuda::Device>& device,
                                                    Blas& blas, const PeerKind& kind, int units,
                                                    int steps, int batch);

}  // namespace pbatch::bench
