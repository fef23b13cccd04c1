// Trilu: the upper or lower triangle of every matrix, zeros elsewhere.
#include <algorithm>
#include <cstring>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

class Trilu final : public Op {
 public:
  explicit Trilu(bool upper) : upper_(upper) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    if (x.rank() < 2) {
      return {ErrorCode::shape_mismatch,
              "an input of shape " + shape_to_string(x.shape()) + " is not a matrix",
              "feed at least two dimensions"};
    }
    std::int64_t diagonal = 0;
    if (const Tensor* k = input_or_null(inputs, 1); k != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(diagonal, read_integer(*k, "the diagonal k"));
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), x.shape()));
    if (outputs[0].size() == 0) return Status::ok();

    const std::int64_t rows = x.dim(x.rank() - 2), cols = x.dim(x.rank() - 1);
    diagonal = std::clamp(diagonal, -rows - 1, cols + 1);
    const std::size_t element = dtype_size(x.dtype());
    const auto* from = static_cast<const char*>(x.raw());
    auto* to = static_cast<char*>(outputs[0].mutable_raw());
    for (std::int64_t i = 0; i < x.size() / cols; ++i) {
      const std::int64_t r = i % rows;
      const std::int64_t edge = std::clamp<std::int64_t>(r + diagonal + (upper_ ? 0 : 1), 0, cols);
      const auto left = static_cast<std::size_t>(edge) * element;
      const auto all = static_cast<std::size_t>(cols) * element;
      std::memcpy(to, from, all);
      if (upper_) {
        std::memset(to, 0, left);
      } else {
        std::memset(to + left, 0, all - left);
      }
      from += all;
      to += all;
    }
    return Status::ok();
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
