// The networks of the end-to-end benchmark, as the engine runs them on a device: one recording of
// all their work. They run on any Device, so that the emulated one says what is right.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bench/gpu/random_weights.h"
#include "cuda/product.h"

namespace pbatch::bench {

struct NetworkPrecision {
  int weight_bits = 4, activation_bits = 16;
};

class BitNetwork {
 public:
  virtual ~BitNetwork() = default;
  /// Queues one run.
  virtual Status queue(Stream stream) const = 0;
  /// What the last run made; waits for it.
  virtual Result<std::vector<float>> outputs() const = 0;
};

/// Layers of these sizes (inputs first), with Relu between them, for `batch` random vectors.
Result<std::unique_ptr<BitNetwork>> make_bit_mlp(const std::shared_ptr<cuda::Device>& device,
                                                 const std::vector<std::int64_t>& sizes,
                                                 const NetworkPrecision& precision, int batch);
/// `steps` steps of an LSTM with as many inputs as units, a multiple of 16; its outputs are the
/// states after the last.
Result<std::unique_ptr<BitNetwork>> make_bit_lstm(const std::shared_ptr<cuda::Device>& device,
                                                  std::int64_t units, int steps,
                                                  const NetworkPrecision& precision, int batch);

}  // namespace pbatch::bench
