#include "calibrate/language_model.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kernel/cell_math.h"

namespace pbatch {
namespace {

Status no_language_model(const std::string& why) {
  return {ErrorCode::unsupported, "it is no language model with a state: " + why, ""};
}

// All free dimensions of a state are the batch.
Result<Tensor> zeros_for(const PortInfo& port, std::int64_t batch) {
  Shape shape = port.shape;
  for (std::int64_t& d : shape) d = d < 0 ? batch : d;
  PBATCH_ASSIGN_OR_RETURN(Tensor zeros, Tensor::create(port.dtype, std::move(shape)));
  std::fill_n(static_cast<char*>(zeros.mutable_raw()), zeros.bytes(), '\0');
  return zeros;
}

}  // namespace

Result<TokenStepper> TokenStepper::create(NetworkRunner& runner, const NetworkKind& kind,
                                          std::int64_t streams) {
  const std::vector<PortInfo>& inputs = runner.inputs();
  const FedInput tokens{"token", [&](const PortInfo& port) {
                          const auto i = static_cast<std::size_t>(&port - inputs.data());
                          return i < inputs.size() && kind.table_rows[i] > 0;
                        }};
  TokenStepper made;
  made.runner_ = &runner;
  PBATCH_ASSIGN_OR_RETURN(made.ports_, find_step_ports(inputs, runner.outputs(), tokens, {}));
  if (made.ports_.states.empty()) return no_language_model("it has no state");
  const PortInfo& port = inputs[made.ports_.input];
  made.vocabulary_ = kind.table_rows[made.ports_.input];
  if (made.vocabulary_ == 0 || !holds_tokens(port)) return no_language_model("it takes no tokens");
  PBATCH_ASSIGN_OR_RETURN(const std::vector<TokenLayout> layouts,
                          token_layouts(port, FirstAxis::unknown));
  Status last = no_language_model("its tokens have a fixed length");
  for (const TokenLayout& layout : layouts) {
    if (layout.steps > 1) continue;
    made.layout_ = layout;
    made.streams_ = layout.batch > 0 ? layout.batch : streams;
    made.zeros_.clear();
    for (const StatePair& pair : made.ports_.states) {
      PBATCH_ASSIGN_OR_RETURN(Tensor zeros, zeros_for(inputs[pair.input], made.streams_));
      made.zeros_.push_back({inputs[pair.input].name, std::move(zeros)});
    }
    made.reset();
    const auto answer =
        made.step(std::vector<std::int64_t>(static_cast<std::size_t>(made.streams_), 0));
    bool keeps_shapes = true;
    for (std::size_t i = 0; i < made.zeros_.size(); ++i) {
      keeps_shapes =
          keeps_shapes && made.states_[i].tensor.shape() == made.zeros_[i].tensor.shape();
    }
    if (answer && keeps_shapes) {
      made.reset();
      return made;
    }
    last = answer ? no_language_model("its states change their shape") : answer.status();
  }
  return last;
}

void TokenStepper::reset() { states_ = zeros_; }

Result<Tensor> TokenStepper::step(const std::vector<std::int64_t>& tokens) {
  const PortInfo& port = runner_->inputs()[ports_.input];
  PBATCH_ASSIGN_OR_RETURN(Tensor fed, layout_.input(port, tokens, streams_, 1));
  std::vector<NamedTensor> inputs = states_;
  inputs.push_back({port.name, std::move(fed)});
  PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, runner_->run(inputs));
  for (std::size_t i = 0; i < states_.size(); ++i) {
    states_[i].tensor = outputs[ports_.states[i].output];
  }
  Tensor answer = outputs[ports_.output];
  if (answer.dtype() != DType::f32 || answer.rank() == 0 || answer.shape().back() != vocabulary_ ||
      answer.size() != streams_ * vocabulary_) {
    return no_language_model("its answer is " + shape_to_string(answer.shape()));
  }
  return answer.reshaped({streams_, vocabulary_});
}

std::int64_t draw_token(const float* logits, std::int64_t count, double u) {
  const float most = *std::max_element(logits, logits + count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += static_cast<double>(exp_lane(limited(logits[i] - most, 80.0f)));
  }
  double left = u * sum;
  for (std::int64_t i = 0; i < count; ++i) {
    left -= static_cast<double>(exp_lane(limited(logits[i] - most, 80.0f)));
    if (left < 0) return i;
  }
  return count - 1;
}

}  // namespace pbatch
