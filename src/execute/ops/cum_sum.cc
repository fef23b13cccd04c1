// CumSum: running sums along an axis.
#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

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

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t given, read_integer(*inputs[1], "the axis"));
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given, x.rank()));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), x.shape()));
    if (outputs[0].size() == 0) return Status::ok();
    switch (x.dtype()) {
      case DType::f32:
        sum<float>(x, axis, outputs[0], context.pool);
        break;
      case DType::f64:
        sum<double>(x, axis, outputs[0], context.pool);
        break;
      case DType::i32:
      case DType::u32:
        sum<std::uint32_t>(x, axis, outputs[0], context.pool);
        break;
      case DType::i64:
      case DType::u64:
        sum<std::uint64_t>(x, axis, outputs[0], context.pool);
        break;
      default:
        return {ErrorCode::unsupported,
                std::string("operator CumSum of ") + dtype_name(x.dtype()) + " is not supported",
                "add a Cast to float32 or int64"};
    }
    return Status::ok();
  }

 private:
  template <class T>
  void sum(const Tensor& x, std::size_t axis, Tensor& y, ThreadPool& pool) const {
    const std::int64_t count = x.dim(axis), inner = product_of(x.shape(), axis + 1, x.rank());
    const auto* const from = static_cast<const T*>(x.raw());
    auto* const to = static_cast<T*>(y.mutable_raw());
    const std::int64_t first = reverse_ ? (count - 1) * inner : 0;
    const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
    pool.parallel_for(x.size() / count, items_worth_a_thread(bytes),
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t line = begin; line < end; ++line) {
                          const std::int64_t at = line / inner * count * inner + line % inner;
                          sum_line(from + at + first, to + at + first, count,
                                   reverse_ ? -inner : inner, exclusive_);
                        }
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
