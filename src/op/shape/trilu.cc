// Trilu: the upper or lower triangle of every matrix, zeros elsewhere.
#include <algorithm>
#include <cstring>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

class Trilu final : public Op {
 public:
  explicit Trilu(bool upper) : upper_(upper) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    if (x.rank() < 2) {
      return Status(ErrorCode::shape_mismatch,
                    "an input of shape " + shape_to_string(x.shape()) + " is not a matrix",
                    "feed at least two dimensions");
    }
    const std::int64_t rows = x.dim(x.rank() - 2), cols = x.dim(x.rank() - 1);
    std::int64_t diagonal = 0;
    if (const Tensor* k = input_or_null(request.inputs, 1); k != nullptr) {
      if (!request.knows(1)) return StepPlan{};
      PBATCH_ASSIGN_OR_RETURN(diagonal, read_integer(*k, "the diagonal k"));
    }
    diagonal = std::clamp(diagonal, -rows - 1, cols + 1);
    const std::int64_t all_rows = x.size() == 0 ? 0 : x.size() / cols;
    return StepPlan::of(
        {x.dtype(), x.shape()}, [rows, cols, all_rows, diagonal, upper = upper_,
                                 element = dtype_size(x.dtype())](const StepCall& call) {
          const char* from = call.input<char>(0);
          char* to = call.output<char>(0);
          const auto all = static_cast<std::size_t>(cols) * element;
          for (std::int64_t i = 0; i < all_rows; ++i, from += all, to += all) {
            const std::int64_t edge =
                std::clamp<std::int64_t>(i % rows + diagonal + (upper ? 0 : 1), 0, cols);
            const auto left = static_cast<std::size_t>(edge) * element;
            std::memcpy(to, from, all);
            if (upper) {
              std::memset(to, 0, left);
            } else {
              std::memset(to + left, 0, all - left);
            }
          }
          return Status::ok();
        });
  }

 private:
  bool upper_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_trilu(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t upper, node.int_attr("upper", 1));
  return std::unique_ptr<Op>(new Trilu(upper != 0));
}

}  // namespace pbatch
