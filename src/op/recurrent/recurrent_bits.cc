#include "op/recurrent/recurrent_bits.h"

namespace pbatch {

Status BitRecurrentProduct::run(const float* h, std::int64_t ldh, std::int64_t first,
                                std::int64_t last, std::int64_t grain, float* y, std::int64_t ldy,
                                const RangeTask& done) {
  PBATCH_RETURN_IF_ERROR(product_.quantize(h, ldh, 0, batch_, pool_));
  const auto columns = static_cast<std::int64_t>(outlier_columns_.size());
  float* to = outliers_;
  for (std::int64_t b = 0; b < batch_ && columns > 0; ++b) {
    for (const std::int32_t column : outlier_columns_) *to++ = h[b * ldh + column];
  }
  const BitProductOutput out{
      .y = y, .ldy = ldy, .x = outliers_, .ldx = columns, .only_outlier_columns = true};
  const auto task = [&](std::int64_t begin, std::int64_t end) {
    product_.multiply(0, batch_, first + begin, first + end, out);
    done(first + begin, first + end);
  };
  if (product_.is_worth_sharing(batch_, last - first)) {
    pool_.parallel_for(last - first, grain, task);
  } else {
    task(0, last - first);
  }
  return Status::ok();
}

}  // namespace pbatch
