#include "tools/eval/tasks/transducer.h"

#include <algorithm>
#include <cmath>

#include "feed/convert.h"
#include "feed/match_ports.h"
#include "tools/eval/required_inputs.h"

namespace pbatch {
namespace {

Status find_encoder_inputs(const Session& encoder, TransducerPorts* ports) {
  const std::vector<PortInfo> inputs = required_inputs(encoder);
  std::vector<std::size_t> tokens, lengths;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!holds_tokens(inputs[i])) continue;
    (inputs.size() > 1 && inputs[i].shape.size() == 1 ? lengths : tokens).push_back(i);
  }
  if (tokens.empty()) std::swap(tokens, lengths);
  if (tokens.size() != 1 || lengths.size() > 1) {
    return {ErrorCode::unsupported, "it is not clear which input of the encoder takes the tokens",
            "give it one integer input of two dimensions, and perhaps one of one dimension for the "
            "length; the inputs are " +
                describe_ports(inputs)};
  }
  ports->tokens = tokens[0];
  if (!lengths.empty()) ports->length = lengths[0];
  return Status::ok();
}

// Which outputs of the encoder the decoder's states and constants start from.
Status find_feeds(const Session& encoder, const Session& decoder, const Seq2SeqOptions& options,
                  TransducerPorts* ports) {
  const auto taken = [&](std::size_t input) {
    return std::any_of(ports->feeds.begin(), ports->feeds.end(),
                       [&](const StatePair& feed) { return feed.input == input; });
  };
  for (const auto& [in, out] : options.feeds) {
    StatePair feed;
    PBATCH_ASSIGN_OR_RETURN(feed.input, find_named_port(required_inputs(decoder), in, "input"));
    PBATCH_ASSIGN_OR_RETURN(feed.output, find_named_port(encoder.outputs(), out, "output"));
    if (feed.input == ports->decoder.input || taken(feed.input)) {
      return {ErrorCode::invalid_argument,
              "the decoder's input '" + in + "' " +
                  (taken(feed.input) ? "is fed twice" : "takes the tokens"),
              "leave that --feed out"};
    }
    ports->feeds.push_back(feed);
  }
  std::vector<std::size_t> left = ports->decoder.constant;
  for (const StatePair& state : ports->decoder.states) left.push_back(state.input);
  std::erase_if(left, taken);
  std::sort(left.begin(), left.end());
  std::vector<PortInfo> inputs;
  for (const std::size_t i : left) inputs.push_back(decoder.inputs()[i]);
  const auto matches = match_ports(inputs, encoder.outputs());
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (matches[i]) {
      ports->feeds.push_back({left[i], *matches[i]});
      continue;
    }
    const auto& constant = ports->decoder.constant;
    if (std::find(constant.begin(), constant.end(), left[i]) == constant.end()) continue;
    return {ErrorCode::invalid_argument,
            "it is not clear which output of the encoder the decoder's input '" + inputs[i].name +
                "' takes",
            "give --feed " + inputs[i].name + "=OUTPUT; the encoder's outputs are " +
                describe_ports(encoder.outputs())};
  }
  std::sort(ports->feeds.begin(), ports->feeds.end(),
            [](const StatePair& a, const StatePair& b) { return a.input < b.input; });
  return Status::ok();
}

// Whether the encoder's outputs are states of one sequence: a wrong reading of the tokens takes
// their number for the batch.
Status check_feeds(const Session& decoder, const TransducerPorts& ports,
                   const std::vector<Tensor>& encoded) {
  for (const StatePair& feed : ports.feeds) {
    const PortInfo& port = decoder.inputs()[feed.input];
    const bool state = std::any_of(ports.decoder.states.begin(), ports.decoder.states.end(),
                                   [&](const StatePair& pair) { return pair.input == feed.input; });
    if (!state || port.shape.empty()) continue;
    Shape wanted = port.shape;
    for (std::int64_t& d : wanted) d = d < 0 ? 1 : d;
    if (encoded[feed.output].shape() == wanted) continue;
    return {ErrorCode::shape_mismatch,
            "the encoder gives the decoder's input '" + port.name + "' the shape " +
                shape_to_string(encoded[feed.output].shape()) + " where one sequence has " +
                shape_to_string(wanted),
            "say with --layout how the encoder takes its tokens"};
  }
  return Status::ok();
}

Status choose_layout(const Contender& encoder, const Session& decoder, FirstAxis first,
                     std::span<const std::int64_t> source, TransducerPorts* ports) {
  const PortInfo& port = encoder.session->inputs()[ports->tokens];
  PBATCH_ASSIGN_OR_RETURN(const std::vector<TokenLayout> layouts, token_layouts(port, first));
  const auto length = static_cast<std::int64_t>(source.size());
  std::vector<TokenLayout> good;
  Status failure;
  for (const TokenLayout& layout : layouts) {
    if (layout.batch > 1 || (layout.steps > 0 && layout.steps != length)) continue;
    ports->layout = layout;
    const auto encoded = encode(encoder, *ports, source);
    const Status status = encoded ? check_feeds(decoder, *ports, *encoded) : encoded.status();
    if (status.is_ok()) good.push_back(layout);
    if (!status.is_ok() && failure.is_ok()) failure = status;
  }
  if (good.empty() && failure.is_ok()) {
    return {ErrorCode::unsupported,
            "the encoder takes " + describe_ports({port}) + ", no single sequence of any length",
            "export it with the length free"};
  }
  if (good.empty()) return failure;
  // Where both run, a single token cannot tell, and else only the network's maker can.
  if (good.size() > 1 && length > 1) {
    return {ErrorCode::invalid_argument,
            "input '" + port.name + "' may be [batch, time] or [time, batch]",
            "say which with --layout"};
  }
  ports->layout = good[0];
  return Status::ok();
}

}  // namespace

Result<std::vector<Tensor>> encode(const Contender& encoder, const TransducerPorts& ports,
                                   std::span<const std::int64_t> source) {
  const std::vector<PortInfo> inputs = required_inputs(*encoder.session);
  const auto length = static_cast<std::int64_t>(source.size());
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Result<Tensor> tensor = Tensor{};
    if (i == ports.tokens) {
      tensor = ports.layout.input(inputs[i], source, 1, length);
    } else if (i == ports.length) {
      tensor = TokenLayout{TokenAxes::batch, 1, 1}.input(inputs[i], {&length, 1}, 1, 1);
    } else {
      tensor = zero_state(inputs[i], 1);
    }
    if (!tensor) return tensor.status();
    tensors.push_back({inputs[i].name, std::move(tensor).value()});
  }
  return encoder.session->run(tensors, encoder.precision);
}

Result<TransducerPorts> find_transducer_ports(std::span<const Contender> encoders,
                                              std::span<const Contender> decoders,
                                              const Seq2SeqOptions& options,
                                              std::span<const std::int64_t> source) {
  TransducerPorts ports;
  PBATCH_RETURN_IF_ERROR(check_same_ports(encoders));
  PBATCH_RETURN_IF_ERROR(find_encoder_inputs(*encoders[0].session, &ports));
  PBATCH_ASSIGN_OR_RETURN(ports.decoder, find_step_ports(decoders, {"tokens", holds_tokens},
                                                         options.decoder, /*constants=*/true));
  const Session& decoder = *decoders[0].session;
  PBATCH_RETURN_IF_ERROR(find_feeds(*encoders[0].session, decoder, options, &ports));
  PBATCH_RETURN_IF_ERROR(choose_layout(encoders[0], decoder, options.first_axis, source, &ports));
  return ports;
}

Status Transducer::read(std::span<const std::int64_t> source) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> encoded, encode(*encoder_, *ports_, source));
  PBATCH_RETURN_IF_ERROR(stepper_.reset(1));
  for (const StatePair& feed : ports_->feeds) stepper_.set(feed.input, encoded[feed.output]);
  return Status::ok();
}

Result<Tensor> Transducer::step(std::int64_t token) {
  const PortInfo& port = stepper_.fed_port();
  Shape shape = port.shape.empty() ? Shape{1, 1} : port.shape;
  for (std::int64_t& d : shape) d = d < 0 ? 1 : d;
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t d) { return d != 1; })) {
    return Status(ErrorCode::unsupported,
                  "the decoder takes " + describe_ports({port}) + " where it is fed one token",
                  "export it with one token, or a free number, as its input");
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor fed, Tensor::create(DType::i64, shape));
  *fed.mutable_data<std::int64_t>() = token;
  PBATCH_ASSIGN_OR_RETURN(fed, convert_tensor(fed, port.dtype));
  return stepper_.run(std::move(fed));
}

Result<TokenSequence> Transducer::write(const Seq2SeqOptions& options) {
  TokenSequence answer;
  std::int64_t token = options.start;
  while (static_cast<std::int64_t>(answer.size()) < options.max_length) {
    PBATCH_ASSIGN_OR_RETURN(const Tensor output, step(token));
    PBATCH_ASSIGN_OR_RETURN(token, chosen_token(output));
    if (token == options.stop) break;
    answer.push_back(token);
  }
  return answer;
}

Result<std::int64_t> chosen_token(const Tensor& output) {
  const bool is_float = output.dtype() == DType::f32 || output.dtype() == DType::f64;
  if (!is_float && output.size() == 1) {
    return static_cast<std::int64_t>(element_as_double(output, 0));
  }
  if (!is_float || output.rank() == 0 || output.size() == 0 ||
      output.dim(output.rank() - 1) != output.size()) {
    return Status(ErrorCode::shape_mismatch,
                  "the decoder answers with " + shape_to_string(output.shape()) + " " +
                      dtype_name(output.dtype()) + ", no value for each token",
                  "name the output of logits with --output");
  }
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < output.size(); ++i) {
    const double value = element_as_double(output, i);
    if (std::isnan(value)) {
      return Status(ErrorCode::not_finite, "the decoder answers with a value that is no number",
                    "give it other inputs, or more bits");
    }
    if (value > element_as_double(output, best)) best = i;
  }
  return best;
}

}  // namespace pbatch
