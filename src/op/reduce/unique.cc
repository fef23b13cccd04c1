// Unique: each element, or slice along an axis, once; where it first stood, and how often.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "op/convert.h"
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// Slices x[outer][i][inner] of one i.
struct Slices {
  std::int64_t outer = 1, count = 0, inner = 1;
};

// Below, equal or above 0 as slice a comes before, is or comes after slice b. A NaN comes after
// all numbers and is like no other.
template <class T>
int compare_slices(const T* x, const Slices& s, std::int64_t a, std::int64_t b) {
  for (std::int64_t o = 0; o < s.outer; ++o) {
    const T* const row = x + o * s.count * s.inner;
    for (std::int64_t i = 0; i < s.inner; ++i) {
      const T p = row[a * s.inner + i], q = row[b * s.inner + i];
      if (p != p || q != q) {
        if (q == q) return 1;
        return p == p || a < b ? -1 : 1;
      }
      if (p != q) return p < q ? -1 : 1;
    }
  }
  return 0;
}

struct UniqueSlices {
  std::vector<std::int64_t> first, counts;  // of each unique slice
  std::vector<std::int64_t> inverse;        // of each slice: the unique one
};

template <class T>
UniqueSlices find_unique(const void* elements, const Slices& s, bool sorted) {
  const auto* const x = static_cast<const T*>(elements);
  std::vector<std::int64_t> order(static_cast<std::size_t>(s.count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return a != b && compare_slices(x, s, a, b) < 0;
  });
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;  // of equals in `order`: begin, end
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    if (i == 0 || compare_slices(x, s, order[i - 1], order[i]) != 0) runs.emplace_back(at, at);
    runs.back().second = at + 1;
  }
  const auto first_of = [&order](const std::pair<std::int64_t, std::int64_t>& run) {
    return order[static_cast<std::size_t>(run.first)];
  };
  if (!sorted) {
    std::sort(runs.begin(), runs.end(),
              [&](const auto& a, const auto& b) { return first_of(a) < first_of(b); });
  }
  UniqueSlices unique;
  unique.inverse.resize(order.size());
  for (const auto& run : runs) {
    for (std::int64_t i = run.first; i < run.second; ++i) {
      const auto slice = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
      unique.inverse[slice] = static_cast<std::int64_t>(unique.first.size());
    }
    unique.first.push_back(first_of(run));
    unique.counts.push_back(run.second - run.first);
  }
  return unique;
}

Result<UniqueSlices> find_unique(const RunContext& context, const Tensor& x, const Slices& s,
                                 bool sorted) {
  if (x.dtype() == DType::boolean) {  // any byte but zero is true
    PBATCH_ASSIGN_OR_RETURN(const Tensor bits, convert(context, x, DType::u8));
    return find_unique<std::uint8_t>(bits.raw(), s, sorted);
  }
  switch (x.dtype()) {
    case DType::f32:
      return find_unique<float>(x.raw(), s, sorted);
    case DType::f64:
      return find_unique<double>(x.raw(), s, sorted);
    case DType::i8:
      return find_unique<std::int8_t>(x.raw(), s, sorted);
    case DType::u8:
      return find_unique<std::uint8_t>(x.raw(), s, sorted);
    case DType::i16:
      return find_unique<std::int16_t>(x.raw(), s, sorted);
    case DType::u16:
      return find_unique<std::uint16_t>(x.raw(), s, sorted);
    case DType::i32:
      return find_unique<std::int32_t>(x.raw(), s, sorted);
    case DType::u32:
      return find_unique<std::uint32_t>(x.raw(), s, sorted);
    case DType::i64:
      return find_unique<std::int64_t>(x.raw(), s, sorted);
    case DType::u64:
      return find_unique<std::uint64_t>(x.raw(), s, sorted);
    default:
      return unsupported_type("Unique", x.dtype());
  }
}

class Unique final : public Op {
 public:
  Unique(std::optional<std::int64_t> axis, bool sorted) : axis_(axis), sorted_(sorted) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    if (axis_) PBATCH_RETURN_IF_ERROR(normalize_axis(*axis_, request.inputs[0]->rank()).status());
    return StepPlan::allocating(
        [this](RunContext& context, std::span<const Tensor* const> inputs,
               std::span<Tensor> outputs) { return find(context, *inputs[0], outputs); });
  }

 private:
  Status find(RunContext& context, const Tensor& given, std::span<Tensor> outputs) const {
    const Tensor x = axis_ ? given : given.reshaped({given.size()});
    PBATCH_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(axis_.value_or(0), x.rank()));
    const Slices s{product_of(x.shape(), 0, axis), x.dim(axis),
                   product_of(x.shape(), axis + 1, x.rank())};
    PBATCH_ASSIGN_OR_RETURN(const UniqueSlices unique, find_unique(context, x, s, sorted_));
    Shape shape = x.shape();
    shape[axis] = static_cast<std::int64_t>(unique.first.size());
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(x.dtype(), shape));
    const std::int64_t bytes = s.inner * static_cast<std::int64_t>(dtype_size(x.dtype()));
    char* to = outputs[0].size() == 0 ? nullptr : outputs[0].mutable_data<char>();
    for (std::int64_t o = 0; to != nullptr && o < s.outer; ++o) {
      for (const std::int64_t slice : unique.first) {
        std::memcpy(to, x.data<char>() + (o * s.count + slice) * bytes,
                    static_cast<std::size_t>(bytes));
        to += bytes;
      }
    }
    const std::vector<std::int64_t>* lists[] = {&unique.first, &unique.inverse, &unique.counts};
    for (std::size_t i = 1; i < outputs.size(); ++i) {
      const std::vector<std::int64_t>& list = *lists[i - 1];
      PBATCH_ASSIGN_OR_RETURN(
          outputs[i], context.allocate(DType::i64, {static_cast<std::int64_t>(list.size())}));
      std::copy(list.begin(), list.end(), outputs[i].mutable_data<std::int64_t>());
    }
    return Status::ok();
  }

  std::optional<std::int64_t> axis_;
  bool sorted_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_unique(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1, 4));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t sorted, node.int_attr("sorted", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t axis, node.int_attr("axis", 0));
  return std::unique_ptr<Op>(
      new Unique(node.has_attr("axis") ? std::optional(axis) : std::nullopt, sorted != 0));
}

}  // namespace pbatch
