#include "product/dynamic_int8.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace pbatch {
namespace {

constexpr float kMaxCode = 127.0F;

// Adding it leaves a float whose low bits are the nearest integer.
constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23

// Several chains side by side, so that the compiler can use vector instructions.
std::pair<float, float> range_with_zero(const float* x, std::int64_t count) {
  constexpr std::int64_t kLanes = 16;
  std::array<float, kLanes> low{}, high{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t l = 0; l < kLanes; ++l) {
      const auto at = static_cast<std::size_t>(l);
      low[at] = x[i + l] < low[at] ? x[i + l] : low[at];
      high[at] = x[i + l] > high[at] ? x[i + l] : high[at];
    }
  }
  for (; i < count; ++i) {
    low[0] = std::min(low[0], x[i]);
    high[0] = std::max(high[0], x[i]);
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

}  // namespace

Result<DynamicInt8Linear> DynamicInt8Linear::create(std::int64_t rows, std::int64_t cols,
                                                    std::int64_t batch, const float* weights,
                                                    const float* bias, Activation activation,
                                                    int threads) {
  DynamicInt8Linear layer;
  layer.rows_ = rows;
  layer.cols_ = cols;
  layer.batch_ = batch;
  layer.levels_ = (1 << int8_activation_bits()) - 1;
  layer.activation_ = activation;
  if (cols > std::numeric_limits<std::int32_t>::max() / (127 * 255)) {
    return Status(ErrorCode::unsupported,
                  "int8 sums over " + std::to_string(cols) + " columns can overflow",
                  "leave the int8 comparison out");
  }
  layer.codes_.resize(static_cast<std::size_t>(rows * cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* const w = weights + r * cols;
    float most = 0.0F;
    for (std::int64_t c = 0; c < cols; ++c) most = std::max(most, std::fabs(w[c]));
    const float step = most > 0.0F ? most / kMaxCode : 1.0F;
    std::int32_t sum = 0;
    for (std::int64_t c = 0; c < cols; ++c) {
      const float code = std::clamp(std::nearbyint(w[c] / step), -kMaxCode, kMaxCode);
      layer.codes_[static_cast<std::size_t>(r * cols + c)] = static_cast<std::int8_t>(code);
      sum += static_cast<std::int32_t>(code);
    }
    layer.row_step_.push_back(step);
    layer.row_sum_.push_back(sum);
    layer.bias_.push_back(bias != nullptr ? bias[r] : 0.0F);
  }
  layer.scales_.resize(static_cast<std::size_t>(batch));
  PBATCH_ASSIGN_OR_RETURN(layer.product_,
                          Int8Product::create(rows, cols, batch, layer.codes_.data(), threads));
  return layer;
}

DynamicInt8Linear::Scale DynamicInt8Linear::quantize(const float* x, std::int64_t count, int levels,
                                                     std::uint8_t* out) {
  const auto [low, high] = range_with_zero(x, count);
  const auto top = static_cast<float>(levels);
  if (!(high > low)) {
    std::fill_n(out, count, std::uint8_t{0});
    return {};
  }
  const float inverse = top / (high - low);
  const float zero = std::nearbyint(-low * inverse);
  const float shift = kRounder + zero, most = kRounder + top;
  for (std::int64_t i = 0; i < count; ++i) {
    float t = x[i] * inverse + shift;
    t = t < kRounder ? kRounder : t;
    t = t > most ? most : t;
    out[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(t));
  }
  return {(high - low) / top, static_cast<std::int32_t>(zero)};
}

void DynamicInt8Linear::finish(const Scale& scale, const std::int32_t* acc, float* y) const {
  const std::int32_t* const sum = row_sum_.data();
  const float* const step = row_step_.data();
  const float* const bias = bias_.data();
  for (std::int64_t r = 0; r < rows_; ++r) {
    const auto integer = static_cast<float>(acc[r] - scale.zero * sum[r]);
    y[r] = integer * (scale.step * step[r]) + bias[r];
  }
  if (activation_ != Activation::relu) return;
  for (std::int64_t r = 0; r < rows_; ++r) y[r] = y[r] < 0.0F ? 0.0F : y[r];
}

Status DynamicInt8Linear::run(const float* x, float* y) {
  for (std::int64_t b = 0; b < batch_; ++b) {
    scales_[static_cast<std::size_t>(b)] =
        quantize(x + b * cols_, cols_, levels_, product_->x().data() + b * cols_);
  }
  PBATCH_RETURN_IF_ERROR(product_->run());
  for (std::int64_t b = 0; b < batch_; ++b) {
    finish(scales_[static_cast<std::size_t>(b)], product_->y().data() + b * rows_, y + b * rows_);
  }
  return Status::ok();
}

std::vector<float> DynamicInt8Linear::weights() const {
  std::vector<float> w(codes_.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] = static_cast<float>(codes_[i]) * row_step_[i / static_cast<std::size_t>(cols_)];
  }
  return w;
}

std::vector<float> DynamicInt8Linear::activations() const {
  const std::span<const std::uint8_t> codes = product_->x();
  std::vector<float> x(codes.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Scale& scale = scales_[i / static_cast<std::size_t>(cols_)];
    x[i] = static_cast<float>(static_cast<std::int32_t>(codes[i]) - scale.zero) * scale.step;
  }
  return x;
}

}  // namespace pbatch
