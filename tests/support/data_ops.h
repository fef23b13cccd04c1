// Tensors and checks for the tests of operators that move data.
#pragma once

#include <cstdint>
#include <limits>
#include <numeric>

#include "tests/support/one_op.h"

namespace pbatch::testing {

using Ints = std::vector<std::int64_t>;
inline constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

/// 0, 1, 2, ... in this shape.
inline Tensor counted(Shape shape) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0.0F);
  return floats(std::move(shape), values);
}
inline Tensor int64_scalar(std::int64_t value) {
  return make_tensor<std::int64_t>(DType::i64, {}, {value});
}
inline Ints ints_of(const Tensor& t) {
  const auto span = t.span<std::int64_t>();
  return {span.begin(), span.end()};
}

/// Running it is an error of this code.
inline void expect_error(OneOp op, ErrorCode code, std::size_t outputs = 1) {
  const auto made = op.run(outputs);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.status().code(), code) << made.status().to_line();
  EXPECT_FALSE(made.status().message().empty());
}

}  // namespace pbatch::testing
