// The product of a recurrent layer with float weights.
#pragma once

#include <array>
#include <memory>

#include "op/op.h"
#include "op/recurrent/recurrent_layer.h"
#include "product/float_gemm.h"

namespace pbatch {

/// R of one direction. Thread-safe.
class FloatRecurrentWeights {
 public:
  /// r: float32 [hidden][rows] in the order of `gates`.
  static Result<FloatRecurrentWeights> create(const GateTiles& gates, const Tensor& r);

  /// The matrix of the rows before GateTiles::first_part_blocks(), or of those after.
  const FloatMatrix& part(int i) const { return *parts_[static_cast<std::size_t>(i)]; }

 private:
  std::array<std::unique_ptr<FloatMatrix>, 2> parts_;
};

/// For one run.
class FloatRecurrentProduct final : public RecurrentProduct {
 public:
  FloatRecurrentProduct(const FloatRecurrentWeights& weights, const GateTiles& gates,
                        std::int64_t batch, FloatBackend backend, ThreadPool& pool,
                        BufferPool& buffers)
      : weights_(weights),
        gates_(gates),
        batch_(batch),
        backend_(backend),
        pool_(pool),
        buffers_(buffers) {}

  Status run(const float* h, std::int64_t ldh, std::int64_t first, std::int64_t last,
             std::int64_t grain, float* y, std::int64_t ldy, const RangeTask& done) override;

 private:
  const FloatRecurrentWeights& weights_;
  const GateTiles& gates_;
  const std::int64_t batch_;
  const FloatBackend backend_;
  ThreadPool& pool_;
  BufferPool& buffers_;
  std::shared_ptr<void> scratch_;  // vectors without gaps
};

}  // namespace pbatch
