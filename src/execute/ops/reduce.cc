// ReduceSum, ReduceMean, ReduceMax and their kin.
#include <cmath>
#include <limits>
#include <type_traits>

#include "execute/op.h"
#include "execute/ops/elements.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

// Sums of floats are taken in double, of integers modulo 2^64.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

struct Sum {
  template <class T>
  struct Of {
    using Acc = Wide<T>;
    static constexpr Acc kInit = 0;
    static Acc step(Acc a, T x) { return a + static_cast<Acc>(x); }
    static T finish(Acc a, std::int64_t) { return static_cast<T>(a); }
  };
};

struct Prod {
  template <class T>
  struct Of {
    using Acc = Wide<T>;
    static constexpr Acc kInit = 1;
    static Acc step(Acc a, T x) { return a * static_cast<Acc>(x); }
    static T finish(Acc a, std::int64_t) { return static_cast<T>(a); }
  };
};

struct SumSquare {
  template <class T>
  struct Of : Sum::Of<T> {
    using Acc = Wide<T>;
    static Acc step(Acc a, T x) { return a + static_cast<Acc>(x) * static_cast<Acc>(x); }
  };
};

struct L1 {
  template <class T>
  struct Of : Sum::Of<T> {
    using Acc = Wide<T>;
    static Acc step(Acc a, T x) {
      return x < T{0} ? a - static_cast<Acc>(x) : a + static_cast<Acc>(x);
    }
  };
};

struct L2 {
  template <class T>
  struct Of : SumSquare::Of<T> {
    static T finish(double a, std::int64_t) { return static_cast<T>(std::sqrt(a)); }
  };
};

struct Mean {
  template <class T>
  struct Of : Sum::Of<T> {
    static T finish(double a, std::int64_t n) { return static_cast<T>(a / static_cast<double>(n)); }
  };
};

struct LogSum {
  template <class T>
  struct Of : Sum::Of<T> {
    static T finish(double a, std::int64_t) { return static_cast<T>(std::log(a)); }
  };
};

// Kept relative to the greatest element so far, so that no exponential overflows.
struct LogSumExp {
  template <class T>
  struct Of {
    struct Acc {
      double most = -std::numeric_limits<double>::infinity();
      double sum = 0.0;
    };
    static constexpr Acc kInit{};
    static Acc step(Acc a, T value) {
      const auto x = static_cast<double>(value);
      if (x == a.most) return std::isinf(x) && x < 0.0 ? a : Acc{a.most, a.sum + 1.0};
      if (x > a.most) return {x, a.sum * std::exp(a.most - x) + 1.0};
      return {a.most, a.sum + std::exp(x - a.most)};
    }
    static T finish(Acc a, std::int64_t) { return static_cast<T>(a.most + std::log(a.sum)); }
  };
};

// NaN wins: a maximum or minimum with one is NaN.
template <class T>
bool is_nan(T x) {
  return x != x;
}

struct Max {
  template <class T>
  struct Of {
    using Acc = T;
    static constexpr T kInit = std::numeric_limits<T>::has_infinity
                                   ? -std::numeric_limits<T>::infinity()
                                   : std::numeric_limits<T>::lowest();
    static T step(T a, T x) { return x > a || is_nan(x) ? x : a; }
    static T finish(T a, std::int64_t) { return a; }
  };
};

struct Min {
  template <class T>
  struct Of {
    using Acc = T;
    static constexpr T kInit = std::numeric_limits<T>::has_infinity
                                   ? std::numeric_limits<T>::infinity()
                                   : std::numeric_limits<T>::max();
    static T step(T a, T x) { return x < a || is_nan(x) ? x : a; }
    static T finish(T a, std::int64_t) { return a; }
  };
};

// One dimension, or neighbours that are all reduced or all kept.
struct Dimension {
  std::int64_t size = 1;
  std::int64_t stride = 0;  // in the output; 0 if reduced
  std::int64_t index = 0;
};

std::vector<Dimension> merge(const Shape& shape, const std::vector<bool>& reduced) {
  std::vector<Dimension> dims;
  std::vector<bool> kinds;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!kinds.empty() && kinds.back() == reduced[i]) {
      dims.back().size *= shape[i];
    } else {
      dims.push_back({shape[i], 0, 0});
      kinds.push_back(reduced[i]);
    }
  }
  if (dims.empty()) return {Dimension{}};
  std::int64_t stride = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (kinds[i]) continue;
    dims[i].stride = stride;
    stride *= dims[i].size;
  }
  return dims;
}

template <class T, class Reducer>
void accumulate(const T* x, std::int64_t count, std::vector<Dimension> dims,
                typename Reducer::Acc* acc) {
  const Dimension inner = dims.back();
  dims.pop_back();
  std::int64_t at = 0;
  for (const T* const end = x + count; x != end; x += inner.size) {
    if (inner.stride == 0) {
      typename Reducer::Acc a = acc[at];
      for (std::int64_t i = 0; i < inner.size; ++i) a = Reducer::step(a, x[i]);
      acc[at] = a;
    } else {
      for (std::int64_t i = 0; i < inner.size; ++i) acc[at + i] = Reducer::step(acc[at + i], x[i]);
    }
    for (std::size_t d = dims.size(); d-- > 0;) {
      at += dims[d].stride;
      if (++dims[d].index < dims[d].size) break;
      at -= dims[d].index * dims[d].stride;
      dims[d].index = 0;
    }
  }
}

template <class T, class Reducer>
Status reduce(RunContext& context, const Tensor& x, const std::vector<bool>& reduced, Tensor& y) {
  using Acc = typename Reducer::Acc;
  const std::int64_t outputs = y.size();
  if (outputs == 0) return Status::ok();
  const std::shared_ptr<void> memory =
      context.buffers.take(static_cast<std::size_t>(outputs) * sizeof(Acc));
  if (memory == nullptr) {
    return {ErrorCode::out_of_memory, "no memory for a reduction", "use a smaller batch"};
  }
  Acc* const acc = static_cast<Acc*>(memory.get());
  std::fill_n(acc, outputs, Reducer::kInit);
  if (x.size() != 0) {
    accumulate<T, Reducer>(x.data<T>(), x.size(), merge(x.shape(), reduced), acc);
  }
  T* const to = y.mutable_data<T>();
  for (std::int64_t i = 0; i < outputs; ++i) to[i] = Reducer::finish(acc[i], x.size() / outputs);
  return Status::ok();
}

enum class Takes { floats, numbers, numbers_and_bool };

template <class Family, Takes takes>
class Reduce final : public Op {
 public:
  Reduce(IntegerList axes, bool keep, bool empty_is_none)
      : axes_(std::move(axes)), keep_(keep), empty_is_none_(empty_is_none) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    PBATCH_ASSIGN_OR_RETURN(const auto given, axes_.get(inputs));
    std::vector<bool> reduced(x.rank(), false);
    if (given && !given->empty()) {
      PBATCH_ASSIGN_OR_RETURN(const auto axes, normalize_axes(*given, x.rank()));
      for (const std::size_t axis : axes) reduced[axis] = true;
    } else if (!empty_is_none_) {
      reduced.assign(x.rank(), true);
    }
    Shape shape;
    for (std::size_t i = 0; i < x.rank(); ++i) {
      if (!reduced[i]) shape.push_back(x.dim(i));
      if (reduced[i] && keep_) shape.push_back(1);
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), shape));
    return dispatch(context, x, reduced, outputs[0]);
  }

 private:
  template <class T>
  using Reducer = typename Family::template Of<T>;

  static Status dispatch(RunContext& context, const Tensor& x, const std::vector<bool>& reduced,
                         Tensor& y) {
    if (x.dtype() == DType::f32) return reduce<float, Reducer<float>>(context, x, reduced, y);
    if constexpr (takes != Takes::floats) {
      switch (x.dtype()) {
        case DType::i64:
          return reduce<std::int64_t, Reducer<std::int64_t>>(context, x, reduced, y);
        case DType::i32:
          return reduce<std::int32_t, Reducer<std::int32_t>>(context, x, reduced, y);
        case DType::i8:
          return reduce<std::int8_t, Reducer<std::int8_t>>(context, x, reduced, y);
        case DType::u8:
          return reduce<std::uint8_t, Reducer<std::uint8_t>>(context, x, reduced, y);
        case DType::boolean:
          if constexpr (takes == Takes::numbers_and_bool) {
            return reduce<std::uint8_t, Reducer<std::uint8_t>>(context, x, reduced, y);
          }
          break;
        default:
          break;
      }
    }
    return unsupported_type("this reduction", x.dtype());
  }

  IntegerList axes_;
  bool keep_, empty_is_none_;
};

template <class Family, Takes takes>
Result<std::unique_ptr<Op>> make(const Graph& graph, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 2));
  PBATCH_ASSIGN_OR_RETURN(IntegerList axes, has_input(node, 1)
                                                ? IntegerList::from_input(graph, node, 1, "axes")
                                                : IntegerList::from_attribute(node, "axes"));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t keep, node.int_attr("keepdims", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t none, node.int_attr("noop_with_empty_axes", 0));
  return std::unique_ptr<Op>(new Reduce<Family, takes>(std::move(axes), keep != 0, none != 0));
}

}  // namespace

Result<std::unique_ptr<Op>> make_reduce_sum(const Graph& graph, const Node& node) {
  return make<Sum, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_prod(const Graph& graph, const Node& node) {
  return make<Prod, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_sum_square(const Graph& graph, const Node& node) {
  return make<SumSquare, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_l1(const Graph& graph, const Node& node) {
  return make<L1, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_l2(const Graph& graph, const Node& node) {
  return make<L2, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_mean(const Graph& graph, const Node& node) {
  return make<Mean, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_log_sum(const Graph& graph, const Node& node) {
  return make<LogSum, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_log_sum_exp(const Graph& graph, const Node& node) {
  return make<LogSumExp, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_max(const Graph& graph, const Node& node) {
  return make<Max, Takes::numbers_and_bool>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_min(const Graph& graph, const Node& node) {
  return make<Min, Takes::numbers_and_bool>(graph, node);
}

}  // namespace pbatch
