// The product of a recurrent layer whose weights are bit-layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "op/recurrent/recurrent_layer.h"
#include "product/bit_product.h"
#include "product/matrix_cache.h"

namespace pbatch {

/// For one run. Every step quantizes the states once; the threads that multiply also finish.
class BitRecurrentProduct final : public RecurrentProduct {
 public:
  /// `product`, of `matrix`, has room for the `batch` vectors of a step. `outliers`: memory of
  /// outlier_bytes(), for states that outliers are multiplied with: whoever finishes a tile writes
  /// new ones.
  BitRecurrentProduct(BitProduct product, const PreparedMatrix& matrix, std::int64_t batch,
                      ThreadPool& pool, float* outliers)
      : product_(std::move(product)),
        outlier_columns_(matrix.outliers.columns()),
        batch_(batch),
        pool_(pool),
        outliers_(outliers) {}

  static std::size_t outlier_bytes(const PreparedMatrix& matrix, std::int64_t batch) {
    return matrix.outliers.columns().size() * static_cast<std::size_t>(batch) * sizeof(float);
  }

  Status run(const float* h, std::int64_t ldh, std::int64_t first, std::int64_t last,
             std::int64_t grain, float* y, std::int64_t ldy, const RangeTask& done) override;

 private:
  BitProduct product_;
  const std::vector<std::int32_t>& outlier_columns_;
  const std::int64_t batch_;
  ThreadPool& pool_;
  float* const outliers_;
};

}  // namespace pbatch
