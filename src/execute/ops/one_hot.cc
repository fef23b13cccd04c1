// OneHot: a new axis that holds the on value at the index and the off value elsewhere.
#include <cmath>
#include <cstring>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

// A number of the types that exporters use for indices and depth; fractions are cut off.
Result<std::int64_t> number_at(const Tensor& t, std::int64_t i) {
  double value = 0;
  switch (t.dtype()) {
    case DType::i64:
      return t.data<std::int64_t>()[i];
    case DType::i32:
      return t.data<std::int32_t>()[i];
    case DType::u8:
      return t.data<std::uint8_t>()[i];
    case DType::f32:
      value = t.data<float>()[i];
      break;
    case DType::f64:
      value = t.data<double>()[i];
      break;
    default:
      return Status(ErrorCode::unsupported,
                    std::string("operator OneHot with numbers of ") + dtype_name(t.dtype()) +
                        " is not supported",
                    "add a Cast to int64");
  }
  if (!(std::abs(value) < 0x1p62)) {
    return Status(ErrorCode::invalid_argument, "an index or the depth is not finite or too large",
                  "feed whole numbers");
  }
  return static_cast<std::int64_t>(value);
}

class OneHot final : public Op {
 public:
  explicit OneHot(std::int64_t axis) : axis_(axis) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor &indices = *inputs[0], &values = *inputs[2];
    if (inputs[1]->size() != 1 || values.size() != 2) {
      return {ErrorCode::shape_mismatch, "depth must be one number and values must be two",
              "export the network again"};
    }
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t depth, number_at(*inputs[1], 0));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, indices.rank() + 1));
    Shape shape = indices.shape();
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), depth);
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(values.dtype(), std::move(shape)));

    const std::size_t element = dtype_size(values.dtype());
    const auto* const off = static_cast<const char*>(values.raw());
    auto* const to = static_cast<char*>(outputs[0].mutable_raw());
    fill_elements(to, outputs[0].size(), off, element);
    if (outputs[0].size() == 0) return Status::ok();
    const std::int64_t inner = product_of(indices.shape(), axis, indices.rank());
    for (std::int64_t i = 0; i < indices.size(); ++i) {
      PBATCH_ASSIGN_OR_RETURN(std::int64_t index, number_at(indices, i));
      if (!wrap_index(depth, &index)) continue;  // ONNX: nothing is on
      const std::int64_t at = (i / inner * depth + index) * inner + i % inner;
      std::memcpy(to + static_cast<std::size_t>(at) * element, off + element, element);
    }
    return Status::ok();
  }

 private:
  std::int64_t axis_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_one_hot(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 3, 3));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", -1));
  return std::unique_ptr<Op>(new OneHot(axis));
}

}  // namespace pbatch
