// pbatch.AttentionMask: what is added to attention's scores, [B or 1, H or 1, S, T].
//
// Inputs: query [B, H, S, d], key [B, h, T, d] with the past, a mask, the past key [B, h, P, d].
// Attribute "kind" says what the mask is: "" for none; "bias", ONNX's: bool, or floats to add;
// "padding", ONNX Runtime's: counts of valid keys [B], ends and starts [2 B], or which keys are
// valid [B, T], [B, S, T], [B, 1, T', T']; "lengths": the place of each sequence's last key [B].
// "causal": key t counts for query s where t <= s + P; "window": where t > s + P - window, too.
#include <algorithm>
#include <limits>

#include "execute/op.h"
#include "execute/ops/convert.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

struct Extents {
  std::int64_t batch = 0, heads = 0, queries = 0, keys = 0, past = 0;
};

Status mismatch(const Tensor& mask, const Extents& x) {
  return {ErrorCode::shape_mismatch,
          "a mask of shape " + shape_to_string(mask.shape()) + " does not fit attention of " +
              std::to_string(x.queries) + " queries over " + std::to_string(x.keys) + " keys",
          "feed the shape that the network was exported for"};
}

class AttentionMask final : public Op {
 public:
  enum class Kind { none, bias, padding, lengths };

  AttentionMask(Kind kind, bool causal, std::int64_t window, float masked)
      : kind_(kind), causal_(causal), window_(window), masked_(masked) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& query = *inputs[0];
    const Tensor& key = *inputs[1];
    const Tensor* mask = input_or_null(inputs, 2);
    const Tensor* past = input_or_null(inputs, 3);
    if (query.rank() != 4 || key.rank() != 4 || query.dim(0) != key.dim(0) ||
        (past != nullptr && past->rank() != 4)) {
      return {ErrorCode::shape_mismatch,
              "query " + shape_to_string(query.shape()) + " does not fit key " +
                  shape_to_string(key.shape()),
              "feed the shape that the network was exported for"};
    }
    const Extents x{query.dim(0), query.dim(1), query.dim(2), key.dim(2),
                    past != nullptr ? past->dim(2) : 0};
    Shape shape{1, 1, x.queries, x.keys};
    Tensor given;  // the mask as floats
    if (kind_ != Kind::none) {
      if (mask == nullptr) return {ErrorCode::malformed, "the mask is missing", "export again"};
      PBATCH_ASSIGN_OR_RETURN(given, convert(context, *mask, DType::f32));
      PBATCH_ASSIGN_OR_RETURN(shape, shape_for(*mask, x));
    }
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::f32, shape));
    float* to = outputs[0].mutable_data<float>();
    for (std::int64_t b = 0; b < shape[0]; ++b) {
      for (std::int64_t h = 0; h < shape[1]; ++h) {
        for (std::int64_t s = 0; s < x.queries; ++s) {
          for (std::int64_t t = 0; t < x.keys; ++t) {
            const bool seen =
                (!causal_ || t <= s + x.past) && (window_ < 0 || t > s + x.past - window_);
            const float own = kind_ == Kind::none ? 0.0F : value(*mask, given, x, b, h, s, t);
            *to++ = seen ? own : -std::numeric_limits<float>::infinity();
          }
        }
      }
    }
    return Status::ok();
  }

 private:
  Result<Shape> shape_for(const Tensor& mask, const Extents& x) const {
    const Shape& m = mask.shape();
    if (kind_ == Kind::lengths) {
      if (mask.size() != x.batch) return mismatch(mask, x);
      PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> last,
                              read_integers(mask.reshaped({x.batch}), "seqlens_k"));
      for (const std::int64_t l : last) {
        if (l >= x.keys || (x.past > 0 && l + 1 != x.keys)) {
          return Status(ErrorCode::unsupported,
                        "sequences of unequal length in one batch, behind a past",
                        "run them one by one");
        }
      }
      return Shape{1, 1, x.queries, x.keys};
    }
    if (kind_ == Kind::padding) {
      const bool fits =
          (m.size() == 1 && (m[0] == x.batch || m[0] == 2 * x.batch)) ||
          m == Shape{x.batch, x.keys} || m == Shape{x.batch, x.queries, x.keys} ||
          (m.size() == 4 && m[0] == x.batch && m[1] == 1 && m[2] >= x.keys && m[3] >= x.keys);
      if (!fits) return mismatch(mask, x);
      return Shape{x.batch, 1, x.queries, x.keys};
    }
    Shape full(4 - std::min<std::size_t>(m.size(), 4), 1);
    full.insert(full.end(), m.begin(), m.end());
    const auto one_of = [](std::int64_t d, std::int64_t n) { return d == 1 || d == n; };
    if (full.size() != 4 || !one_of(full[0], x.batch) || !one_of(full[1], x.heads) ||
        !one_of(full[2], x.queries) || full[3] > x.keys) {
      return mismatch(mask, x);
    }
    return Shape{full[0], full[1], x.queries, x.keys};
  }

  float value(const Tensor& mask, const Tensor& given, const Extents& x, std::int64_t b,
              std::int64_t h, std::int64_t s, std::int64_t t) const {
    if (kind_ == Kind::lengths) return 0.0F;
    const auto* const m = given.data<float>();
    if (kind_ == Kind::bias) return bias(mask, m, b, h, s, t, x.keys);
    const std::size_t rank = mask.rank();
    bool valid = false;
    if (rank == 1) {
      const auto at = static_cast<float>(t);
      valid = at < m[b] && (mask.dim(0) == x.batch || at >= m[x.batch + b]);
    } else if (rank == 2) {
      valid = m[b * x.keys + t] > 0.0F;
    } else if (rank == 3) {
      valid = m[(b * x.queries + s) * x.keys + t] > 0.0F;
    } else {
      valid = m[(b * mask.dim(2) + x.keys - x.queries + s) * mask.dim(3) + t] > 0.0F;
    }
    return valid ? 0.0F : masked_;
  }

  // A last dimension that is too short stands for keys that do not count.
  static float bias(const Tensor& mask, const float* m, std::int64_t b, std::int64_t h,
                    std::int64_t s, std::int64_t t, std::int64_t keys) {
    const std::size_t rank = mask.rank();
    const std::int64_t index[4] = {b, h, s, t};
    std::int64_t at = 0;
    for (std::size_t d = 0; d < rank; ++d) {
      const std::int64_t extent = mask.dim(d);
      std::int64_t i = index[4 - rank + d];
      if (d + 1 == rank && extent != keys && (extent != 1 || t > 0) && t >= extent) {
        return -std::numeric_limits<float>::infinity();
      }
      at = at * extent + (extent == 1 ? 0 : i);
    }
    if (mask.dtype() != DType::boolean) return m[at];
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
