// MatMulInteger: a product of 8-bit matrices less their zero points; sums wrap around in int32.
#include <optional>

#include "execute/op.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/matrix_stacks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

bool is_byte(const Tensor& t) { return t.dtype() == DType::u8 || t.dtype() == DType::i8; }

std::int32_t value_at(const Tensor& t, std::int64_t i) {
  return t.dtype() == DType::u8 ? std::int32_t{t.data<std::uint8_t>()[i]}
                                : std::int32_t{t.data<std::int8_t>()[i]};
}

// Codes less their zero points, of which there is none, one, or one per row or column.
Result<std::vector<std::int32_t>> centred(const Tensor& codes, const Tensor* zero,
                                          std::int64_t period, std::int64_t run) {
  if (!is_byte(codes)) return unsupported_type("MatMulInteger", codes.dtype());
  if (zero != nullptr) {
    PBATCH_RETURN_IF_ERROR(expect_same_type("MatMulInteger", codes.dtype(), zero->dtype()));
    if (zero->size() != 1 && zero->size() != period) {
      return Status(ErrorCode::shape_mismatch,
                    "a zero point of shape " + shape_to_string(zero->shape()) +
                        " does not fit a matrix of shape " + shape_to_string(codes.shape()),
                    "export the network again");
    }
  }
  std::vector<std::int32_t> values(static_cast<std::size_t>(codes.size()));
  for (std::int64_t i = 0; i < codes.size(); ++i) {
    const std::int64_t z = zero == nullptr || zero->size() == 1 ? 0 : i / run % period;
    values[static_cast<std::size_t>(i)] =
        value_at(codes, i) - (zero != nullptr ? value_at(*zero, z) : 0);
  }
  return values;
}

class MatMulInteger final : public Op {
 public:
  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& a = *inputs[0];
    const Tensor& b = *inputs[1];
    PBATCH_ASSIGN_OR_RETURN(const MatrixStacks s, match_stacks(a, b));
    PBATCH_ASSIGN_OR_RETURN(const auto left, centred(a, input_or_null(inputs, 2), s.m, s.k));
    PBATCH_ASSIGN_OR_RETURN(const auto right, centred(b, input_or_null(inputs, 3), s.n, 1));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::i32, s.result));
    auto* const y = outputs[0].mutable_data<std::int32_t>();
    const std::int64_t rows = product_of(s.batch, 0, s.batch.size()) * s.m;
    context.pool.parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> sums(static_cast<std::size_t>(s.n));
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t i = row / s.m;
        const std::int32_t* const x =
            left.data() + (matrix_index(s.a, s.batch, i) * s.m + row % s.m) * s.k;
        const std::int32_t* const w = right.data() + matrix_index(s.b, s.batch, i) * s.k * s.n;
        std::fill(sums.begin(), sums.end(), 0);
        for (std::int64_t k = 0; k < s.k; ++k) {
          for (std::int64_t n = 0; n < s.n; ++n) {
            sums[static_cast<std::size_t>(n)] += std::int64_t{x[k]} * w[k * s.n + n];
          }
        }
        for (std::int64_t n = 0; n < s.n; ++n) {
          y[row * s.n + n] = static_cast<std::int32_t>(sums[static_cast<std::size_t>(n)]);
        }
      }
    });
    return Status::ok();
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_matmul_integer(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 4));
  return std::unique_ptr<Op>(new MatMulInteger);
}

}  // namespace pbatch
