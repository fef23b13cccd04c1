// ReduceSum, ReduceMean, ReduceMax and their kin.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "op/elements.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

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
    static Acc merge(Acc a, Acc b) { return a + b; }
    static T finish(Acc a, std::int64_t) { return static_cast<T>(a); }
  };
};

struct Prod {
  template <class T>
  struct Of {
    using Acc = Wide<T>;
    static constexpr Acc kInit = 1;
    static Acc step(Acc a, T x) { return a * static_cast<Acc>(x); }
    static Acc merge(Acc a, Acc b) { return a * b; }
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
    static T merge(T a, T b) { return step(a, b); }
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
    static T merge(T a, T b) { return step(a, b); }
    static T finish(T a, std::int64_t) { return a; }
  };
};

// One dimension, or neighbours that are all reduced or all kept.
struct ReducedDimension {
  std::int64_t size = 1;
  std::int64_t stride = 0;  // in the output; 0 if reduced
};

std::vector<ReducedDimension> merge(const Shape& shape, const std::vector<bool>& reduced) {
  std::vector<ReducedDimension> dims;
  std::vector<bool> kinds;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!kinds.empty() && kinds.back() == reduced[i]) {
      dims.back().size *= shape[i];
    } else {
      dims.push_back({shape[i], 0});
      kinds.push_back(reduced[i]);
    }
  }
  if (dims.empty()) return {ReducedDimension{}};
  std::int64_t stride = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (kinds[i]) continue;
    dims[i].stride = stride;
    stride *= dims[i].size;
  }
  return dims;
}

// What a reduction goes over; `x` elements become `y`.
struct Walk {
  std::vector<ReducedDimension> dims;
  std::int64_t x = 0, y = 0;
};

// Of neighbours, onto `a`. Where parts can be merged, several at once, so that no step waits for
// the one before.
template <class T, class Reducer>
typename Reducer::Acc accumulate_row(const T* x, std::int64_t count, typename Reducer::Acc a) {
  std::int64_t i = 0;
  if constexpr (requires { Reducer::merge(a, a); }) {
    constexpr std::int64_t kLanes = 16;
    typename Reducer::Acc lanes[kLanes];
    std::fill_n(lanes, kLanes, Reducer::kInit);
    for (; i + kLanes <= count; i += kLanes) {
      for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] = Reducer::step(lanes[l], x[i + l]);
    }
    for (std::int64_t l = 0; l < kLanes && i > 0; ++l) a = Reducer::merge(a, lanes[l]);
  }
  for (; i < count; ++i) a = Reducer::step(a, x[i]);
  return a;
}

template <class T, class Reducer>
void accumulate(const T* x, const Walk& walk, typename Reducer::Acc* acc) {
  const ReducedDimension inner = walk.dims.back();
  for (std::int64_t row = 0; row < walk.x / inner.size; ++row, x += inner.size) {
    std::int64_t at = 0, rest = row;
    for (std::size_t d = walk.dims.size() - 1; d-- > 0; rest /= walk.dims[d].size) {
      at += rest % walk.dims[d].size * walk.dims[d].stride;
    }
    if (inner.stride == 0) {
      acc[at] = accumulate_row<T, Reducer>(x, inner.size, acc[at]);
    } else {
      for (std::int64_t i = 0; i < inner.size; ++i) acc[at + i] = Reducer::step(acc[at + i], x[i]);
    }
  }
}

// Accumulators are scratch memory.
template <class T, class Reducer>
void reduce(const Walk& walk, const StepCall& call) {
  auto* const acc = static_cast<typename Reducer::Acc*>(call.scratch);
  std::fill_n(acc, walk.y, Reducer::kInit);
  if (walk.x != 0) accumulate<T, Reducer>(call.input<T>(0), walk, acc);
  T* const to = call.output<T>(0);
  for (std::int64_t i = 0; i < walk.y; ++i) to[i] = Reducer::finish(acc[i], walk.x / walk.y);
}

struct ReduceWork {
  void (*run)(const Walk& walk, const StepCall& call) = nullptr;
  std::size_t accumulator_bytes = 0;
};

template <class T, class Reducer>
constexpr ReduceWork reduction() {
  return {&reduce<T, Reducer>, sizeof(typename Reducer::Acc)};
}

enum class Takes { floats, numbers, numbers_and_bool };

template <class Family, Takes takes>
class Reduce final : public Op {
 public:
  Reduce(IntegerList axes, bool keep, bool empty_is_none)
      : axes_(std::move(axes)), keep_(keep), empty_is_none_(empty_is_none) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    if (!axes_.known() && axes_.present() && !request.knows(1)) return StepPlan{};
    PBATCH_ASSIGN_OR_RETURN(const std::vector<bool> reduced, reduced_dimensions(request));
    const Layout layout = request.layout(0);
    std::vector<bool> in_memory(x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) {
      in_memory[axis_in_memory(i, x.rank(), layout)] = reduced[i];
    }
    TensorType y{x.dtype(), {}};
    Walk walk{merge(shape_in_memory(x.shape(), layout), in_memory), x.size(), 1};
    for (std::size_t i = 0; i < x.rank(); ++i) {
      if (!reduced[i]) y.shape.push_back(x.dim(i));
      if (!reduced[i]) walk.y *= x.dim(i);
      if (reduced[i] && keep_) y.shape.push_back(1);
    }
    const ReduceWork reduction = reduction_of(x.dtype());
    if (reduction.run == nullptr) return unsupported_type("this reduction", x.dtype());
    const std::size_t scratch = static_cast<std::size_t>(walk.y) * reduction.accumulator_bytes;
    StepPlan plan = StepPlan::of(
        std::move(y), [walk = std::move(walk), run = reduction.run](const StepCall& call) {
          if (walk.y != 0) run(walk, call);
          return Status::ok();
        });
    plan.scratch_bytes = scratch;
    return plan;
  }

  // With the channels last what is kept must lie in a plain result: channels alone, or none.
  Layout wanted_layout(const PlanRequest& request, std::size_t i) const override {
    if (i != 0 || request.layout(0) == Layout::plain) return Layout::plain;
    const auto reduced = reduced_dimensions(request);
    if (!reduced.is_ok()) return Layout::plain;  // plan() says so
    const bool image = std::all_of(reduced->begin() + 2, reduced->end(), [](bool r) { return r; });
    return image || (*reduced)[1] ? Layout::channels_last : Layout::plain;
  }

 private:
  Result<std::vector<bool>> reduced_dimensions(const PlanRequest& request) const {
    const std::size_t rank = request.inputs[0]->rank();
    std::vector<bool> reduced(rank, false);
    if (!axes_.known() && axes_.present() && !request.knows(1)) return reduced;
    PBATCH_ASSIGN_OR_RETURN(const auto given, axes_.get(request.inputs));
    if (given && !given->empty()) {
      PBATCH_ASSIGN_OR_RETURN(const auto axes, normalize_axes(*given, rank));
      for (const std::size_t axis : axes) reduced[axis] = true;
    } else if (!empty_is_none_) {
      reduced.assign(rank, true);
    }
    return reduced;
  }

  template <class T>
  using Reducer = typename Family::template Of<T>;

  static ReduceWork reduction_of(DType type) {
    if (type == DType::f32) return reduction<float, Reducer<float>>();
    if constexpr (takes != Takes::floats) {
      switch (type) {
        case DType::i64:
          return reduction<std::int64_t, Reducer<std::int64_t>>();
        case DType::i32:
          return reduction<std::int32_t, Reducer<std::int32_t>>();
        case DType::i8:
          return reduction<std::int8_t, Reducer<std::int8_t>>();
        case DType::u8:
          return reduction<std::uint8_t, Reducer<std::uint8_t>>();
        case DType::boolean:
          if constexpr (takes == Takes::numbers_and_bool) {
            return reduction<std::uint8_t, Reducer<std::uint8_t>>();
          }
          break;
        default:
          break;
      }
    }
    return {};
  }

  IntegerList axes_;
  bool keep_, empty_is_none_;
};

template <class Family, Takes takes>
Result<std::unique_ptr<Op>> make_reduce(const Graph& graph, const Node& node) {
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
  return make_reduce<Sum, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_prod(const Graph& graph, const Node& node) {
  return make_reduce<Prod, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_sum_square(const Graph& graph, const Node& node) {
  return make_reduce<SumSquare, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_l1(const Graph& graph, const Node& node) {
  return make_reduce<L1, Takes::numbers>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_l2(const Graph& graph, const Node& node) {
  return make_reduce<L2, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_mean(const Graph& graph, const Node& node) {
  return make_reduce<Mean, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_log_sum(const Graph& graph, const Node& node) {
  return make_reduce<LogSum, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_log_sum_exp(const Graph& graph, const Node& node) {
  return make_reduce<LogSumExp, Takes::floats>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_max(const Graph& graph, const Node& node) {
  return make_reduce<Max, Takes::numbers_and_bool>(graph, node);
}
Result<std::unique_ptr<Op>> make_reduce_min(const Graph& graph, const Node& node) {
  return make_reduce<Min, Takes::numbers_and_bool>(graph, node);
}

}  // namespace pbatch
