// RotaryEmbedding: pairs of numbers of each head turned by an angle that the position gives.
#include <algorithm>

#include "execute/op.h"
#include "execute/ops/data_checks.h"
#include "execute/ops/float_checks.h"
#include "execute/ops/node_checks.h"

namespace pbatch {
namespace {

struct Settings {
  bool interleaved = false;
  std::int64_t rotated = 0, heads = 0;
  float scale = 1.0F;
  // Inputs: ONNX has the caches before the positions, com.microsoft behind them.
  std::size_t cos = 1, sin = 2, positions = 3;
};

// Where head `h` of token `s` of sequence `b` begins.
struct Layout {
  std::int64_t batch = 0, tokens = 0, heads = 0, size = 0;
  bool heads_first = false;  // [B, H, S, d], else [B, S, H d]
  std::int64_t at(std::int64_t b, std::int64_t s, std::int64_t h) const {
    return (heads_first ? (b * heads + h) * tokens + s : (b * tokens + s) * heads + h) * size;
  }
};

Status mismatch(const Tensor& x, const Tensor& cache) {
  return {ErrorCode::shape_mismatch,
          "X " + shape_to_string(x.shape()) + " does not fit a table of angles " +
              shape_to_string(cache.shape()),
          "feed the shape that the network was exported for"};
}

class RotaryEmbedding final : public Op {
 public:
  explicit RotaryEmbedding(Settings settings) : set_(settings) {}

  Status run(RunContext& context, std::span<const Tensor* const> inputs,
             std::span<Tensor> outputs) const override {
    const Tensor& x = *inputs[0];
    const Tensor& cos = *inputs[set_.cos];
    const Tensor& sin = *inputs[set_.sin];
    const Tensor* positions = input_or_null(inputs, set_.positions);
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(&cos, "cos_cache"));
    PBATCH_RETURN_IF_ERROR(expect_float(&sin, "sin_cache"));
    if (cos.shape() != sin.shape() || cos.rank() < 2) return mismatch(x, cos);
    const std::int64_t half = cos.shape().back();
    PBATCH_ASSIGN_OR_RETURN(const Layout layout, layout_of(x, cos, 2 * half));
    PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> rows, rows_of(layout, cos, positions));
    PBATCH_ASSIGN_OR_RETURN(outputs[0], context.allocate(DType::f32, x.shape()));
    for (std::int64_t b = 0; b < layout.batch; ++b) {
      for (std::int64_t s = 0; s < layout.tokens; ++s) {
        const std::int64_t row = rows[static_cast<std::size_t>(b * layout.tokens + s)] * half;
        for (std::int64_t h = 0; h < layout.heads; ++h) {
          const std::int64_t at = layout.at(b, s, h);
          turn(x.data<float>() + at, cos.data<float>() + row, sin.data<float>() + row, half,
               layout.size, outputs[0].mutable_data<float>() + at);
        }
      }
    }
    return Status::ok();
  }

 private:
  Result<Layout> layout_of(const Tensor& x, const Tensor& cache, std::int64_t turned) const {
    Layout l;
    if (x.rank() == 4) {
      l = {x.dim(0), x.dim(2), x.dim(1), x.dim(3), true};
    } else if (x.rank() == 3) {
      const std::int64_t heads =
          set_.heads > 0 ? set_.heads : x.dim(2) / std::max<std::int64_t>(turned, 1);
      if (heads < 1 || x.dim(2) % heads != 0) return mismatch(x, cache);
      l = {x.dim(0), x.dim(1), heads, x.dim(2) / heads, false};
    } else {
      return mismatch(x, cache);
    }
    if (turned > l.size || (set_.rotated > 0 && set_.rotated != turned)) return mismatch(x, cache);
    return l;
  }

  // The row of the tables for each token.
  static Result<std::vector<std::int64_t>> rows_of(const Layout& l, const Tensor& cos,
                                                   const Tensor* positions) {
    const std::int64_t count = l.batch * l.tokens;
    std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
    if (positions == nullptr) {  // a row per token is given
      if (cos.rank() != 3 || cos.dim(0) != l.batch || cos.dim(1) != l.tokens) {
        return Status(ErrorCode::shape_mismatch, "the tables do not hold one row per token",
                      "feed the shape that the network was exported for");
      }
      for (std::int64_t i = 0; i < count; ++i) rows[static_cast<std::size_t>(i)] = i;
      return rows;
    }
    PBATCH_ASSIGN_OR_RETURN(const Indices at, Indices::of(*positions));
    if ((positions->size() != count && positions->size() != 1) || cos.rank() != 2) {
      return Status(ErrorCode::shape_mismatch,
                    "positions of shape " + shape_to_string(positions->shape()) + " for " +
                        std::to_string(count) + " tokens",
                    "feed the shape that the network was exported for");
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = positions->size() == 1 && count != 1 ? at[0] + i % l.tokens : at[i];
      if (row < 0 || row >= cos.dim(0)) return index_out_of_range(row, cos.dim(0));
      rows[static_cast<std::size_t>(i)] = row;
    }
    return rows;
  }

  void turn(const float* x, const float* cos, const float* sin, std::int64_t half,
            std::int64_t size, float* y) const {
    for (std::int64_t i = 0; i < half; ++i) {
      const std::int64_t a = set_.interleaved ? 2 * i : i;
      const std::int64_t b = set_.interleaved ? 2 * i + 1 : i + half;
      y[a] = (cos[i] * x[a] - sin[i] * x[b]) * set_.scale;
      y[b] = (sin[i] * x[a] + cos[i] * x[b]) * set_.scale;
    }
    std::copy(x + 2 * half, x + size, y + 2 * half);
  }

  Settings set_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_rotary_embedding(const Graph&, const Node& node) {
  const bool microsoft = !node.domain.empty();
  PBATCH_RETURN_IF_ERROR(check_arity(node, microsoft ? 4 : 3, 4));
  Settings set;
  if (microsoft) {
    set.positions = 1;
    set.cos = 2;
    set.sin = 3;
    PBATCH_ASSIGN_OR_RETURN(set.scale, node.float_attr("scale", 1.0F));
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t interleaved, node.int_attr("interleaved", 0));
  set.interleaved = interleaved != 0;
  PBATCH_ASSIGN_OR_RETURN(set.rotated, node.int_attr("rotary_embedding_dim", 0));
  PBATCH_ASSIGN_OR_RETURN(set.heads, node.int_attr("num_heads", 0));
  return std::unique_ptr<Op>(new RotaryEmbedding(set));
}

}  // namespace pbatch
