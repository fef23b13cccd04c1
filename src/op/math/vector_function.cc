// Functions of one float with an exponential in them: kernel/vectors.h computes them.
#include <string>

#include "kernel/vector_fns.h"
#include "op/math/element_function.h"

namespace pbatch {
namespace {

template <VectorFunction function>
void vector_loop(std::int64_t count, const void* x, void* y, const UnaryParams& p) {
  const VectorParams params = {p.alpha, p.beta, p.gamma};
  vector_fns().apply(function, count, static_cast<const float*>(x), &params,
                     static_cast<float*>(y));
}

template <VectorFunction function>
constexpr UnaryTable vector_table() {
  UnaryTable table;
  table.loops[dtype_index(DType::f32)] = &vector_loop<function>;
  table.grain = 1 << 13;
  return table;
}

constexpr UnaryTable kExp = vector_table<kVectorExp>();
constexpr UnaryTable kTanh = vector_table<kVectorTanh>();
constexpr UnaryTable kSigmoid = vector_table<kVectorSigmoid>();
constexpr UnaryTable kErf = vector_table<kVectorErf>();
constexpr UnaryTable kGelu = vector_table<kVectorGelu>();
constexpr UnaryTable kGeluTanh = vector_table<kVectorGeluTanh>();
constexpr UnaryTable kSwish = vector_table<kVectorSwish>();
constexpr UnaryTable kMish = vector_table<kVectorMish>();
constexpr UnaryTable kElu = vector_table<kVectorElu>();

}  // namespace

using Made = Result<std::unique_ptr<Op>>;

Made make_exp(const Graph&, const Node& node) { return make_unary(kExp, node); }
Made make_tanh(const Graph&, const Node& node) { return make_unary(kTanh, node); }
Made make_sigmoid(const Graph&, const Node& node) { return make_unary(kSigmoid, node); }
Made make_erf(const Graph&, const Node& node) { return make_unary(kErf, node); }
Made make_mish(const Graph&, const Node& node) { return make_unary(kMish, node); }

Made make_swish(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const UnaryParams params, read_element_params(node));
  return make_unary(kSwish, node, params);
}

Made make_elu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const UnaryParams params, read_element_params(node));
  return make_unary(kElu, node, {params.alpha, 1, 1});
}

Made make_selu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const UnaryParams params, read_element_params(node));
  return make_unary(kElu, node, {params.beta * params.alpha, 1, params.beta});
}

Made make_celu(const Graph&, const Node& node) {
  PBATCH_ASSIGN_OR_RETURN(const float alpha, node.float_attr("alpha", 1.0F));
  return make_unary(kElu, node, {alpha, 1 / alpha, 1});
}

Made make_gelu(const Graph&, const Node& node) {
  const Result<std::string> approximate = node.string_attr("approximate", "none");
  if (!approximate) return approximate.status();
  if (*approximate == "none") return make_unary(kGelu, node);
  if (*approximate == "tanh") return make_unary(kGeluTanh, node);
  return Status(ErrorCode::unsupported, "approximate = '" + *approximate + "' of Gelu is not known",
                "use 'none' or 'tanh'");
}

}  // namespace pbatch
