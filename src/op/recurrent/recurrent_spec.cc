#include "op/recurrent/recurrent_spec.h"

#include <cctype>
#include <optional>
#include <vector>

#include "kernel/element_spec.h"

namespace pbatch {
namespace {

struct NamedFunction {
  const char* name;  // in small letters: ONNX asks for no case
  CellFunction function;
  std::optional<float> alpha, beta;  // defaults; none: the function takes no such number
};

constexpr const ElementSpec& kLeakyReluSpec = spec_of(ElementFunction::leaky_relu);
constexpr const ElementSpec& kHardSigmoidSpec = spec_of(ElementFunction::hard_sigmoid);

// The defaults are those of the operators of the same names.
const NamedFunction kCellFunctions[] = {
    {"sigmoid", CellFunction::sigmoid, {}, {}},
    {"tanh", CellFunction::tanh, {}, {}},
    {"relu", CellFunction::relu, {}, {}},
    {"affine", CellFunction::affine, 1.0F, 0.0F},
    {"leakyrelu", CellFunction::leaky_relu, kLeakyReluSpec.alpha_default, {}},
    {"thresholdedrelu", CellFunction::thresholded_relu, 1.0F, {}},
    {"scaledtanh", CellFunction::scaled_tanh, 1.0F, 1.0F},
    {"hardsigmoid", CellFunction::hard_sigmoid, kHardSigmoidSpec.alpha_default,
     kHardSigmoidSpec.beta_default},
    {"elu", CellFunction::elu, spec_of(ElementFunction::elu).alpha_default, {}},
    {"softsign", CellFunction::softsign, {}, {}},
    {"softplus", CellFunction::softplus, {}, {}},
};

const char* const kCorrectNetwork = "correct the network and export it again";

template <class T>
Result<std::vector<T>> list_attr(const Node& node, const char* name) {
  const auto it = node.attributes.find(name);
  if (it == node.attributes.end()) return std::vector<T>{};
  if (const auto* list = std::get_if<std::vector<T>>(&it->second)) return *list;
  // An empty list has no type of its own.
  if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&it->second);
      ints != nullptr && ints->empty()) {
    return std::vector<T>{};
  }
  return Status(ErrorCode::malformed, std::string("attribute '") + name + "' has the wrong type",
                kCorrectNetwork);
}

Result<const NamedFunction*> function_named(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const NamedFunction& f : kCellFunctions) {
    if (lower == f.name) return &f;
  }
  return Status(ErrorCode::unsupported, "unknown activation function '" + name + "'",
                "use one of those that ONNX lists for RNN, LSTM and GRU");
}

// The next number of a list for a function that takes one, else its default.
float take(const std::optional<float>& fallback, const std::vector<float>& list,
           std::size_t& next) {
  if (!fallback) return 0;
  return next < list.size() ? list[next++] : *fallback;
}

int function_count(CellType cell) {
  return cell == CellType::lstm ? 3 : cell == CellType::gru ? 2 : 1;
}

Status read_activations(const Node& node, int index, RecurrentSpec& spec) {
  PBATCH_ASSIGN_OR_RETURN(const auto names, list_attr<std::string>(node, "activations"));
  PBATCH_ASSIGN_OR_RETURN(const auto alphas, list_attr<float>(node, "activation_alpha"));
  PBATCH_ASSIGN_OR_RETURN(const auto betas, list_attr<float>(node, "activation_beta"));
  const auto count = static_cast<std::size_t>(function_count(spec.gates.cell));
  const CellActivation sigmoid{CellFunction::sigmoid}, tanh{CellFunction::tanh};
  if (names.empty()) {
    spec.activations = spec.gates.cell == CellType::rnn ? std::array{tanh, tanh, tanh}
                                                        : std::array{sigmoid, tanh, tanh};
    return Status::ok();
  }
  const auto parts = static_cast<std::size_t>(index) + 1;
  if (names.size() != count && names.size() != 2 * count) {
    return {ErrorCode::malformed,
            std::to_string(names.size()) + " activation functions, but a direction takes " +
                std::to_string(count),
            kCorrectNetwork};
  }
  if (names.size() < parts * count) {
    return {ErrorCode::malformed, "the second direction has no activation functions",
            kCorrectNetwork};
  }
  std::size_t next_alpha = 0, next_beta = 0;
  for (std::size_t i = 0; i < parts * count; ++i) {
    PBATCH_ASSIGN_OR_RETURN(const NamedFunction* f, function_named(names[i]));
    const CellActivation activation{f->function, take(f->alpha, alphas, next_alpha),
                                    take(f->beta, betas, next_beta)};
    if (i / count == static_cast<std::size_t>(index)) spec.activations[i % count] = activation;
  }
  return Status::ok();
}

}  // namespace

bool RecurrentSpec::default_activations() const {
  const auto is = [&](int i, CellFunction f) {
    return activations[static_cast<std::size_t>(i)].function == f;
  };
  if (gates.cell == CellType::rnn) return is(0, CellFunction::tanh);
  if (!is(0, CellFunction::sigmoid) || !is(1, CellFunction::tanh)) return false;
  return gates.cell == CellType::gru || is(2, CellFunction::tanh);
}

Result<RecurrentSpec> read_recurrent_spec(const Node& node, const std::string& cell, int index) {
  RecurrentSpec spec;
  PBATCH_ASSIGN_OR_RETURN(spec.gates.cell, cell_type_of(cell));
  PBATCH_ASSIGN_OR_RETURN(spec.gates.hidden, node.int_attr("hidden_size", 0));
  if (spec.gates.hidden < 1 || spec.gates.hidden > (std::int64_t{1} << 24)) {
    return Status(ErrorCode::malformed,
                  "a hidden_size of " + std::to_string(spec.gates.hidden) + " cannot be",
                  kCorrectNetwork);
  }
  PBATCH_ASSIGN_OR_RETURN(const std::string direction, node.string_attr("direction", "forward"));
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return Status(ErrorCode::malformed, "unknown direction '" + direction + "'",
                  "it is forward, reverse or bidirectional");
  }
  spec.reverse = direction == "reverse" || (direction == "bidirectional" && index == 1);
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t before, node.int_attr("linear_before_reset", 0));
  spec.gates.linear_before_reset = before != 0;
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t couple, node.int_attr("input_forget", 0));
  spec.couple_forget = couple != 0;
  PBATCH_ASSIGN_OR_RETURN(const float clip, node.float_attr("clip", 0));
  if (clip < 0 || !std::isfinite(clip)) {
    return Status(ErrorCode::malformed, "a clip of " + std::to_string(clip) + " cannot be",
                  kCorrectNetwork);
  }
  if (clip > 0) spec.clip = clip;
  PBATCH_RETURN_IF_ERROR(read_activations(node, index, spec));
  return spec;
}

}  // namespace pbatch
