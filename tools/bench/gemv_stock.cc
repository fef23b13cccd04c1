#include "tools/bench/gemv_stock.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"
#include "kernel/joined_planes.h"
#include "layout/layout.h"
#include "product/matrix_cache.h"
#include "quantize/dequantize.h"

namespace pbatch {
namespace {

// The planes and scales of a prepared matrix at addresses of their own.
Result<std::shared_ptr<const PreparedMatrix>> copy_weights(const PreparedMatrix& from) {
  const BitMatrix& m = *from.matrix;
  const PlaneLayout layout = from.kernel->layout;
  const bool joined = joins_planes(layout);
  const auto plane = static_cast<std::size_t>(plane_bytes(m.rows, m.cols));
  const auto digit_bytes = [&](const WeightDigit& digit) -> std::size_t {
    if (digit.n_planes == 0) return 0;  // the second one, up to 8 bits
    if (!joined) return static_cast<std::size_t>(digit.n_planes) * plane;
    return static_cast<std::size_t>(
        joined_bytes(layout, row_blocks(m.rows), col_blocks(m.cols), digit.n_planes));
  };
  const auto scales = static_cast<std::size_t>(row_blocks(m.rows) * from.runs * kBlockRows);
  std::size_t bytes = scales;
  for (const WeightDigit& digit : from.digits) bytes += digit_bytes(digit);
  const auto memory = std::static_pointer_cast<std::uint8_t>(allocate_aligned(bytes));
  if (memory == nullptr) {
    return Status(ErrorCode::out_of_memory, "no memory for 300 MB of cold weights",
                  "leave --cold out");
  }
  auto to = std::make_shared<PreparedMatrix>(from);
  std::uint8_t* at = memory.get();
  for (WeightDigit& digit : to->digits) {
    const int arrays = joined ? std::min(digit.n_planes, 1) : digit.n_planes;
    const std::size_t size = joined ? digit_bytes(digit) : plane;
    for (int i = 0; i < arrays; ++i, at += size) {
      const std::uint8_t*& array = digit.planes[static_cast<std::size_t>(i)];
      std::memcpy(at, array, size);
      array = at;
    }
  }
  std::memcpy(at, from.scales.get(), scales);
  to->scales = {memory, at};
  to->repacked = {memory};
  return std::shared_ptr<const PreparedMatrix>(std::move(to));
}

}  // namespace

Result<std::shared_ptr<WeightRotation>> WeightRotation::create(MatrixCache& cache,
                                                               const BitKernel& kernel,
                                                               int weight_bits, bool cold) {
  auto rotation = std::make_shared<WeightRotation>();
  PBATCH_ASSIGN_OR_RETURN(auto prepared, cache.get(kernel, weight_bits));
  if (!cold) {
    rotation->matrices_.push_back(std::move(prepared));
    return rotation;
  }
  const BitMatrix& matrix = cache.matrix();
  const std::int64_t each = weight_bits * plane_bytes(matrix.rows, matrix.cols);
  for (std::int64_t made = 0; made < kColdBytes; made += each) {
    PBATCH_ASSIGN_OR_RETURN(auto copy, copy_weights(*prepared));
    rotation->matrices_.push_back(std::move(copy));
  }
  return rotation;
}

Result<std::shared_ptr<WeightRotation>> GemvStock::weights(const BitKernel& kernel, int weight_bits,
                                                           bool cold) {
  auto& entry = weights_[{&kernel, weight_bits, cold}];
  if (entry == nullptr) {
    PBATCH_ASSIGN_OR_RETURN(entry, WeightRotation::create(cache_, kernel, weight_bits, cold));
  }
  return entry;
}

Result<const std::vector<double>*> GemvStock::answer(const GemvProblem& problem, int weight_bits,
                                                     int activation_bits) {
  std::vector<double>& entry = answers_[{problem.batch, weight_bits, activation_bits}];
  if (entry.empty()) {
    if (dequantized_bits_ != weight_bits) {
      PBATCH_ASSIGN_OR_RETURN(dequantized_,
                              dequantize(cache_.matrix(), weight_bits, /*transposed=*/false));
      dequantized_bits_ = weight_bits;
    }
    entry = naive_product(problem, dequantized_.data<float>(),
                          rounded_activations(problem, activation_bits));
  }
  return &entry;
}

}  // namespace pbatch
