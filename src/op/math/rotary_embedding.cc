// RotaryEmbedding: pairs of numbers of each head turned by an angle that the position gives.
#include <algorithm>

#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

struct RotarySettings {
  bool interleaved = false;
  std::int64_t rotated = 0, heads = 0;
  float scale = 1.0F;
  // Inputs: ONNX has the caches before the positions, com.microsoft behind them.
  std::size_t cos = 1, sin = 2, positions = 3;
};

// Where head `h` of token `s` of sequence `b` begins.
struct TokenStrides {
  std::int64_t batch = 0, tokens = 0, heads = 0, size = 0;
  bool heads_first = false;  // [B, H, S, d], else [B, S, H d]
  std::int64_t at(std::int64_t b, std::int64_t s, std::int64_t h) const {
    return (heads_first ? (b * heads + h) * tokens + s : (b * tokens + s) * heads + h) * size;
  }
};

Status wrong_tables(const Tensor& x, const Tensor& cache) {
  return {ErrorCode::shape_mismatch,
          "X " + shape_to_string(x.shape()) + " does not fit a table of angles " +
              shape_to_string(cache.shape()),
          "feed the shape that the network was exported for"};
}

// The row of the tables for each token.
struct Rows {
  std::int64_t given = 0, extent = 0;  // positions, 0: a row per token; rows of the tables
  DType type = DType::i64;             // of the positions

  static Result<Rows> create(const TokenStrides& l, const Tensor& cos, const Tensor* positions) {
    const std::int64_t count = l.batch * l.tokens;
    if (positions == nullptr) {
      if (cos.rank() == 3 && cos.dim(0) == l.batch && cos.dim(1) == l.tokens) {
        return Rows{0, count};
      }
      return Status(ErrorCode::shape_mismatch, "the tables do not hold one row per token",
                    "feed the shape that the network was exported for");
    }
    PBATCH_RETURN_IF_ERROR(Indices::of(*positions).status());
    if ((positions->size() != count && positions->size() != 1) || cos.rank() != 2) {
      return Status(ErrorCode::shape_mismatch,
                    "positions of shape " + shape_to_string(positions->shape()) + " for " +
                        std::to_string(count) + " tokens",
                    "feed the shape that the network was exported for");
    }
    return Rows{positions->size(), cos.dim(0), positions->dtype()};
  }

  // One position is that of the first token of every sequence.
  std::int64_t row_of(const Indices& at, std::int64_t token, const TokenStrides& l) const {
    if (given == 0) return token;
    return given == 1 && l.batch * l.tokens != 1 ? at[0] + token % l.tokens : at[token];
  }
};

class RotaryEmbedding final : public Op {
 public:
  explicit RotaryEmbedding(RotarySettings settings) : set_(settings) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor& cos = *request.inputs[set_.cos];
    const Tensor& sin = *request.inputs[set_.sin];
    const Tensor* positions = input_or_null(request.inputs, set_.positions);
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "input X"));
    PBATCH_RETURN_IF_ERROR(expect_float(&cos, "cos_cache"));
    PBATCH_RETURN_IF_ERROR(expect_float(&sin, "sin_cache"));
    if (cos.shape() != sin.shape() || cos.rank() < 2) return wrong_tables(x, cos);
    const std::int64_t half = cos.shape().back();
    PBATCH_ASSIGN_OR_RETURN(const TokenStrides layout, layout_of(x, cos, 2 * half));
    PBATCH_ASSIGN_OR_RETURN(const Rows rows, Rows::create(layout, cos, positions));
    return StepPlan::of(
        {DType::f32, x.shape()}, [this, layout, rows, half](const StepCall& call) -> Status {
          const Indices at(rows.type, rows.given == 0 ? nullptr : call.in[set_.positions]);
          for (std::int64_t i = 0; i < layout.batch * layout.tokens; ++i) {
            const std::int64_t row = rows.row_of(at, i, layout);
            if (row < 0 || row >= rows.extent) return index_out_of_range(row, rows.extent);
            for (std::int64_t h = 0; h < layout.heads; ++h) {
              const std::int64_t place = layout.at(i / layout.tokens, i % layout.tokens, h);
              turn(call.input<float>(0) + place, call.input<float>(set_.cos) + row * half,
                   call.input<float>(set_.sin) + row * half, half, layout.size,
                   call.output<float>(0) + place);
            }
          }
          return Status::ok();
        });
  }

 private:
  Result<TokenStrides> layout_of(const Tensor& x, const Tensor& cache, std::int64_t turned) const {
    TokenStrides l;
    if (x.rank() == 4) {
      l = {x.dim(0), x.dim(2), x.dim(1), x.dim(3), true};
    } else if (x.rank() == 3) {
      const std::int64_t heads =
          set_.heads > 0 ? set_.heads : x.dim(2) / std::max<std::int64_t>(turned, 1);
      if (heads < 1 || x.dim(2) % heads != 0) return wrong_tables(x, cache);
      l = {x.dim(0), x.dim(1), heads, x.dim(2) / heads, false};
    } else {
      return wrong_tables(x, cache);
    }
    if (turned > l.size || (set_.rotated > 0 && set_.rotated != turned))
      return wrong_tables(x, cache);
    return l;
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

  RotarySettings set_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_rotary_embedding(const Graph&, const Node& node) {
  const bool microsoft = !node.domain.empty();
  PBATCH_RETURN_IF_ERROR(check_arity(node, microsoft ? 4 : 3, 4));
  RotarySettings set;
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
