// pbatch.AttentionMask: what is added to attention's scores, [B or 1, H or 1, S, T].
//
// Inputs: query [B, H, S, d], key [B, h, T, d] with the past, a mask, the past key [B, h, P, d].
// Attribute "kind" says what the mask is: "" for none; "bias", ONNX's: bool, or floats to add;
// "padding", ONNX Runtime's: counts of valid keys [B], ends and starts [2 B], or which keys are
// valid [B, T], [B, S, T], [B, 1, T', T']; "lengths": the place of each sequence's last key [B].
// "causal": key t counts for query s where t <= s + P; "window": where t > s + P - window, too.
#include <algorithm>
#include <limits>

#include "op/convert.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

struct Extents {
  std::int64_t batch = 0, heads = 0, queries = 0, keys = 0, past = 0;
};

// Where an element of the result lies.
struct Place {
  std::int64_t b = 0, h = 0, s = 0, t = 0;
};

Status wrong_mask(const Tensor& mask, const Extents& x) {
  return {ErrorCode::shape_mismatch,
          "a mask of shape " + shape_to_string(mask.shape()) + " does not fit attention of " +
              std::to_string(x.queries) + " queries over " + std::to_string(x.keys) + " keys",
          "feed the shape that the network was exported for"};
}

Status check_lengths(const Indices& last, const Extents& x) {
  for (std::int64_t b = 0; b < x.batch; ++b) {
    if (last[b] < x.keys && (x.past == 0 || last[b] + 1 == x.keys)) continue;
    return {ErrorCode::unsupported, "sequences of unequal length in one batch, behind a past",
            "run them one by one"};
  }
  return Status::ok();
}

class AttentionMask final : public Op {
 public:
  enum class Kind { none, bias, padding, lengths };

  AttentionMask(Kind kind, bool causal, std::int64_t window, float masked)
      : kind_(kind), causal_(causal), window_(window), masked_(masked) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& query = *request.inputs[0];
    const Tensor& key = *request.inputs[1];
    const Tensor* mask = input_or_null(request.inputs, 2);
    const Tensor* past = input_or_null(request.inputs, 3);
    if (query.rank() != 4 || key.rank() != 4 || query.dim(0) != key.dim(0) ||
        (past != nullptr && past->rank() != 4)) {
      return Status(ErrorCode::shape_mismatch,
                    "query " + shape_to_string(query.shape()) + " does not fit key " +
                        shape_to_string(key.shape()),
                    "feed the shape that the network was exported for");
    }
    const Extents x{query.dim(0), query.dim(1), query.dim(2), key.dim(2),
                    past != nullptr ? past->dim(2) : 0};
    TensorType y{DType::f32, {1, 1, x.queries, x.keys}};
    if (kind_ == Kind::none) {
      return StepPlan::of(std::move(y), [this, x](const StepCall& call) {
        fill(
            x, 1, 1, [](const Place&) { return 0.0F; }, call.output<float>(0));
        return Status::ok();
      });
    }
    if (mask == nullptr) return Status(ErrorCode::malformed, "the mask is missing", "export again");
    PBATCH_ASSIGN_OR_RETURN(y.shape, shape_for(*mask, x));
    if (kind_ == Kind::lengths) {
      return StepPlan::of(std::move(y), [this, x, type = mask->dtype()](const StepCall& call) {
        PBATCH_RETURN_IF_ERROR(check_lengths(Indices(type, call.in[2]), x));
        fill(
            x, 1, 1, [](const Place&) { return 0.0F; }, call.output<float>(0));
        return Status::ok();
      });
    }
    return plan_given(*mask, x, std::move(y));
  }

 private:
  // A mask of elements, which count as floats.
  StepPlan plan_given(const Tensor& mask, const Extents& x, TensorType y) const {
    StepPlan as_floats = plan_convert(mask, DType::f32);
    const std::int64_t batch = y.shape[0], heads = y.shape[1];
    StepPlan plan = StepPlan::of(
        std::move(y),
        [this, x, batch, heads, shape = mask.shape(), type = mask.dtype(),
         convert = std::shared_ptr<const Step>(std::move(as_floats.step))](const StepCall& call) {
          const auto* given = call.input<float>(2);
          if (convert != nullptr) {
            void* const to[] = {call.scratch};
            StepCall conversion = call;
            conversion.in = call.in + 2;
            conversion.out = to;
            PBATCH_RETURN_IF_ERROR(convert->run(conversion));
            given = static_cast<const float*>(call.scratch);
          }
          const auto value = [&](const Place& at) {
            return kind_ == Kind::bias ? bias(shape, type == DType::boolean, given, at, x.keys)
                                       : padding(shape, given, at, x);
          };
          fill(x, batch, heads, value, call.output<float>(0));
          return Status::ok();
        });
    if (!as_floats.alias_of) {
      plan.scratch_bytes = static_cast<std::size_t>(mask.size()) * sizeof(float);
    }
    return plan;
  }

  // value(place) where the key counts, for all places.
  template <class Value>
  void fill(const Extents& x, std::int64_t batch, std::int64_t heads, const Value& value,
            float* to) const {
    Place at;
    for (at.b = 0; at.b < batch; ++at.b) {
      for (at.h = 0; at.h < heads; ++at.h) {
        for (at.s = 0; at.s < x.queries; ++at.s) {
          for (at.t = 0; at.t < x.keys; ++at.t) {
            const bool seen = (!causal_ || at.t <= at.s + x.past) &&
                              (window_ < 0 || at.t > at.s + x.past - window_);
            *to++ = seen ? value(at) : -std::numeric_limits<float>::infinity();
          }
        }
      }
    }
  }

  Result<Shape> shape_for(const Tensor& mask, const Extents& x) const {
    const Shape& m = mask.shape();
    if (kind_ == Kind::lengths) {
      if (mask.size() != x.batch) return wrong_mask(mask, x);
      PBATCH_RETURN_IF_ERROR(Indices::of(mask).status());
      return Shape{1, 1, x.queries, x.keys};
    }
    if (kind_ == Kind::padding) {
      const bool fits =
          (m.size() == 1 && (m[0] == x.batch || m[0] == 2 * x.batch)) ||
          m == Shape{x.batch, x.keys} || m == Shape{x.batch, x.queries, x.keys} ||
          (m.size() == 4 && m[0] == x.batch && m[1] == 1 && m[2] >= x.keys && m[3] >= x.keys);
      if (!fits) return wrong_mask(mask, x);
      return Shape{x.batch, 1, x.queries, x.keys};
    }
    Shape full(4 - std::min<std::size_t>(m.size(), 4), 1);
    full.insert(full.end(), m.begin(), m.end());
    const auto one_of = [](std::int64_t d, std::int64_t n) { return d == 1 || d == n; };
    if (full.size() != 4 || !one_of(full[0], x.batch) || !one_of(full[1], x.heads) ||
        !one_of(full[2], x.queries) || full[3] > x.keys) {
      return wrong_mask(mask, x);
    }
    return Shape{full[0], full[1], x.queries, x.keys};
  }

  float padding(const Shape& shape, const float* m, const Place& at, const Extents& x) const {
    bool valid = false;
    if (shape.size() == 1) {
      const auto t = static_cast<float>(at.t);
      valid = t < m[at.b] && (shape[0] == x.batch || t >= m[x.batch + at.b]);
    } else if (shape.size() == 2) {
      valid = m[at.b * x.keys + at.t] > 0.0F;
    } else if (shape.size() == 3) {
      valid = m[(at.b * x.queries + at.s) * x.keys + at.t] > 0.0F;
    } else {
      valid = m[(at.b * shape[2] + x.keys - x.queries + at.s) * shape[3] + at.t] > 0.0F;
    }
    return valid ? 0.0F : masked_;
  }

  // A last dimension that is too short stands for keys that do not count.
  static float bias(const Shape& shape, bool is_bool, const float* m, const Place& place,
                    std::int64_t keys) {
    const std::size_t rank = shape.size();
    const std::int64_t index[4] = {place.b, place.h, place.s, place.t};
    std::int64_t at = 0;
    for (std::size_t d = 0; d < rank; ++d) {
      const std::int64_t extent = shape[d], i = index[4 - rank + d];
      if (d + 1 == rank && extent != keys && (extent != 1 || i > 0) && i >= extent) {
        return -std::numeric_limits<float>::infinity();
      }
      at = at * extent + (extent == 1 ? 0 : i);
    }
    if (!is_bool) return m[at];
    return m[at] != 0.0F ? 0.0F : -std::numeric_limits<float>::infinity();
  }

  Kind kind_;
  bool causal_;
  std::int64_t window_;
  float masked_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_attention_mask(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 4));
  PBATCH_ASSIGN_OR_RETURN(const std::string kind, node.string_attr("kind", ""));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t causal, node.int_attr("causal", 0));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t window, node.int_attr("window", -1));
  PBATCH_ASSIGN_OR_RETURN(const float masked, node.float_attr("masked", -10000.0F));
  using Kind = AttentionMask::Kind;
  const Kind known = kind == "bias"      ? Kind::bias
                     : kind == "padding" ? Kind::padding
                     : kind == "lengths" ? Kind::lengths
                                         : Kind::none;
  return std::unique_ptr<Op>(new AttentionMask(known, causal != 0, window, masked));
}

}  // namespace pbatch
