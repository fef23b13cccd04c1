// The product of a recurrent layer whose weights are bit-layers.
#pragma once

#include <cstdint>
#include <utility>

#include "base/thread_pool.h"
#include "op/recurrent/recurrent_layer.h"
#include "product/bit_product.h"

namespace pbatch {

/// For one run. Every step quantizes the states once; the threads that multiply also finish.
class BitRecurrentProduct final : public RecurrentProduct {
 public:
  /// `product` has room for the `batch` vectors of a step.
  BitRecurrentProduct(BitProduct product, std::int64_t batch, ThreadPool& pool)
      : product_(std::move(product)), batch_(batch), pool_(pool) {}

  Status run(const float* h, std::int64_t ldh, std::int64_t first, std::int64_t last,
             std::int64_t grain, float* y, std::int64_t ldy, const RangeTask& done) override;

 private:
  BitProduct product_;
  const std::int64_t batch_;
  ThreadPool& pool_;
};

}  // namespace pbatch
