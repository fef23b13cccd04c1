// CumSum: running sums along an axis.
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Integers wrap around, which only unsigned ones may: signed ones are summed as these.
template <class T>
void sum_line(const T* from, T* to, std::int64_t count, std::int64_t stride, bool exclusive) {
  T sum{0};
  for (std::int64_t i = 0; i < count; ++i) {
    const T x = from[i * stride];
    const T next = static_cast<T>(sum + x);
    to[i * stride] = exclusive ? sum : next;
    sum = next;
  }
}

class CumSum final : public Op {
 public:
  CumSum(bool exclusive, bool reverse) : exclusive_(exclusive), reverse_(reverse) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    if (!request.knows(1)) return StepPlan::not_yet();
    const Tensor& x = *request.inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t given, read_integer(*request.inputs[1], "the axis"));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given, x.rank()));
    switch (x.dtype()) {
      case DType::f32:
        return sum<float>(x, axis);
      case DType::f64:
        return sum<double>(x, axis);
      case DType::i32:
      case DType::u32:
        return sum<std::uint32_t>(x, axis);
      case DType::i64:
      case DType::u64:
        return sum<std::uint64_t>(x, axis);
      default:
        return Status(
            ErrorCode::unsupported,
            std::string("operator CumSum of ") + dtype_name(x.dtype()) + " is not supported",
            "add a Cast to float32 or int64");
    }
  }

 private:
  template <class T>
  StepPlan sum(const Tensor& x, std::size_t axis) const {
    const std::int64_t count = x.dim(axis), inner = product_of(x.shape(), axis + 1, x.rank());
    const std::int64_t lines = x.size() == 0 ? 0 : x.size() / count;
    return StepPlan::of({x.dtype(), x.shape()}, [count, inner, lines, reverse = reverse_,
                                                 exclusive = exclusive_](const StepCall& call) {
      const std::int64_t first = reverse ? (count - 1) * inner : 0;
      const T* const from = call.input<T>(0) + first;
      T* const to = call.output<T>(0) + first;
      const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
      call.pool.parallel_for(
          lines, items_worth_a_thread(bytes), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t line = begin; line < end; ++line) {
              const std::int64_t at = line / inner * count * inner + line % inner;
              sum_line(from + at, to + at, count, reverse ? -inner : inner, exclusive);
            }
          });
      return Status::ok();
    });
  }

  bool exclusive_, reverse_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_cum_sum(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t exclusive, node.int_attr("exclusive", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t reverse, node.int_attr("reverse", 0));
  return std::unique_ptr<Op>(new CumSum(exclusive != 0, reverse != 0));
}

}  // namespace pbatch
