// OneHot: a new axis that holds the on value at the index and the off value elsewhere.
#include <cmath>
#include <cstring>
#include <type_traits>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Reads number `i` of a tensor of the types that exporters use for indices and depth; fractions are
// cut off.
using NumberReader = Result<std::int64_t> (*)(const void* numbers, std::int64_t i);

template <class T>
Result<std::int64_t> read_number(const void* numbers, std::int64_t i) {
  const T value = static_cast<const T*>(numbers)[i];
  if constexpr (std::is_floating_point_v<T>) {
    if (!(std::abs(value) < T{0x1p62})) {
      return Status(ErrorCode::invalid_argument, "an index or the depth is not finite or too large",
                    "feed whole numbers");
    }
  }
  return static_cast<std::int64_t>(value);
}

Result<NumberReader> reader_of(DType type) {
  switch (type) {
    case DType::i64:
      return &read_number<std::int64_t>;
    case DType::i32:
      return &read_number<std::int32_t>;
    case DType::u8:
      return &read_number<std::uint8_t>;
    case DType::f32:
      return &read_number<float>;
    case DType::f64:
      return &read_number<double>;
    default:
      return Status(
          ErrorCode::unsupported,
          std::string("operator OneHot with numbers of ") + dtype_name(type) + " is not supported",
          "add a Cast to int64");
  }
}

class OneHot final : public Op {
 public:
  explicit OneHot(std::int64_t axis) : axis_(axis) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor &indices = *request.inputs[0], &values = *request.inputs[2];
    if (request.inputs[1]->size() != 1 || values.size() != 2) {
      return Status(ErrorCode::shape_mismatch, "depth must be one number and values must be two",
                    "export the network again");
    }
    if (!request.knows(1)) return StepPlan::not_yet();
    PBATCH_ASSIGN_OR_RETURN(const NumberReader read_depth, reader_of(request.inputs[1]->dtype()));
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t depth, read_depth(request.inputs[1]->raw(), 0));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_, indices.rank() + 1));
    PBATCH_ASSIGN_OR_RETURN(const NumberReader read, reader_of(indices.dtype()));
    TensorType y{values.dtype(), indices.shape()};
    y.shape.insert(y.shape.begin() + static_cast<std::ptrdiff_t>(axis), depth);
    const std::size_t element = dtype_size(y.dtype);
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t all, checked_element_count(y.shape, element));
    const std::int64_t inner = product_of(indices.shape(), axis, indices.rank());
    return StepPlan::of(
        std::move(y),
        [read, depth, element, all, inner, count = indices.size()](const StepCall& call) -> Status {
          const char* const off = call.input<char>(2);
          char* const to = call.output<char>(0);
          fill_elements(to, all, off, element);
          for (std::int64_t i = 0; i < count && all != 0; ++i) {
            PBATCH_ASSIGN_OR_RETURN(std::int64_t index, read(call.in[0], i));
            if (!wrap_index(depth, &index)) continue;  // ONNX: nothing is on
            const std::int64_t at = (i / inner * depth + index) * inner + i % inner;
            std::memcpy(to + static_cast<std::size_t>(at) * element, off + element, element);
          }
          return Status::ok();
        });
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
