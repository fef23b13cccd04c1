// MatMulInteger: a product of 8-bit matrices less their zero points; sums wrap around in int32.
#include <algorithm>
#include <utility>
#include <vector>

#include "op/float_checks.h"
#include "op/matrix/matrix_stacks.h"
#include "op/node_checks.h"
#include "op/op.h"
#include "op/scratch.h"

namespace pbatch {
namespace {

bool is_byte(const Tensor& t) { return t.dtype() == DType::u8 || t.dtype() == DType::i8; }

// Codes less their zero points, of which there is none, one, or one per row or column.
struct MatrixCentring {
  DType type = DType::u8;
  std::int64_t count = 0, zeros = 0, period = 1, run = 1;

  static Result<MatrixCentring> create(const Tensor& codes, const Tensor* zero, std::int64_t period,
                                       std::int64_t run) {
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
    return MatrixCentring{codes.dtype(), codes.size(), zero != nullptr ? zero->size() : 0, period,
                          run};
  }

  template <class T>
  void fill(const void* codes, const void* zero, std::int32_t* to) const {
    const T* const from = static_cast<const T*>(codes);
    const T* const z = static_cast<const T*>(zero);
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = std::int32_t{from[i]} -
              (zeros == 0 ? 0 : std::int32_t{z[zeros == 1 ? 0 : i / run % period]});
    }
  }
  void apply(const void* codes, const void* zero, std::int32_t* to) const {
    if (type == DType::u8) return fill<std::uint8_t>(codes, zero, to);
    fill<std::int8_t>(codes, zero, to);
  }
};

// Row `row` of all products' rows; sums: [n].
void multiply_row(const MatrixStacks& s, const std::int32_t* left, const std::int32_t* right,
                  std::int64_t row, std::int64_t* sums, std::int32_t* y) {
  const std::int64_t i = row / s.m;
  const std::int32_t* const x = left + (matrix_index(s.a, s.batch, i) * s.m + row % s.m) * s.k;
  const std::int32_t* const w = right + matrix_index(s.b, s.batch, i) * s.k * s.n;
  std::fill(sums, sums + s.n, 0);
  for (std::int64_t k = 0; k < s.k; ++k) {
    for (std::int64_t n = 0; n < s.n; ++n) sums[n] += std::int64_t{x[k]} * w[k * s.n + n];
  }
  for (std::int64_t n = 0; n < s.n; ++n) y[row * s.n + n] = static_cast<std::int32_t>(sums[n]);
}

class MatMulInteger final : public Op {
 public:
  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& a = *request.inputs[0];
    const Tensor& b = *request.inputs[1];
    const Tensor* const a_zero = input_or_null(request.inputs, 2);
    const Tensor* const b_zero = input_or_null(request.inputs, 3);
    PBATCH_ASSIGN_OR_RETURN(const MatrixStacks s, match_stacks(a, b));
    PBATCH_ASSIGN_OR_RETURN(const MatrixCentring of_a, MatrixCentring::create(a, a_zero, s.m, s.k));
    PBATCH_ASSIGN_OR_RETURN(const MatrixCentring of_b, MatrixCentring::create(b, b_zero, s.n, 1));
    ScratchLayout scratch;
    const std::size_t left = scratch.add<std::int32_t>(a.size());
    const std::size_t right = scratch.add<std::int32_t>(b.size());
    const std::int64_t rows = product_of(s.batch, 0, s.batch.size()) * s.m;
    StepPlan plan = StepPlan::of(
        {DType::i32, s.result},
        [=, zeros = std::pair(a_zero != nullptr, b_zero != nullptr)](const StepCall& call) {
          auto* const x = scratch_at<std::int32_t>(call, left);
          auto* const w = scratch_at<std::int32_t>(call, right);
          of_a.apply(call.in[0], zeros.first ? call.in[2] : nullptr, x);
          of_b.apply(call.in[1], zeros.second ? call.in[3] : nullptr, w);
          call.pool.parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
            std::vector<std::int64_t> sums(static_cast<std::size_t>(s.n));
            for (std::int64_t row = begin; row < end; ++row) {
              multiply_row(s, x, w, row, sums.data(), call.output<std::int32_t>(0));
            }
          });
          return Status::ok();
        });
    plan.scratch_bytes = scratch.bytes();
    return plan;
  }
};

}  // namespace

Result<std::unique_ptr<Op>> make_matmul_integer(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 4));
  return std::unique_ptr<Op>(new MatMulInteger);
}

}  // namespace pbatch
