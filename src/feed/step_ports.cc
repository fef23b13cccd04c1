#include "feed/step_ports.h"

#include <algorithm>
#include <optional>

#include "feed/match_ports.h"

namespace pbatch {
namespace {

Result<std::size_t> find_fed_input(const std::vector<PortInfo>& inputs,
                                   const std::vector<PortInfo>& outputs, const FedInput& fed,
                                   const StepPortOptions& options,
                                   const std::vector<StatePair>& states) {
  if (!options.input.empty()) return find_named_port(inputs, options.input, "input");
  if (inputs.size() == 1 && states.empty()) return std::size_t{0};
  std::vector<std::size_t> fitting, no_states;  // the latter among the former
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool state = std::any_of(states.begin(), states.end(),
                                   [&](const StatePair& pair) { return pair.input == i; });
    if (state || !fed.fits(inputs[i])) continue;
    fitting.push_back(i);
    if (!is_state_by_name(inputs[i], outputs)) no_states.push_back(i);
  }
  if (fitting.size() == 1) return fitting[0];
  if (no_states.size() == 1) return no_states[0];
  return Status(ErrorCode::invalid_argument, "it is not clear which input takes the " + fed.what,
                "name it with --input; the inputs are " + describe_ports(inputs));
}

Result<std::vector<StatePair>> told_states(const std::vector<PortInfo>& inputs,
                                           const std::vector<PortInfo>& outputs,
                                           const StepPortOptions& options) {
  std::vector<StatePair> states;
  for (const auto& [in, out] : options.states) {
    StatePair pair;
    PBATCH_ASSIGN_OR_RETURN(pair.input, find_named_port(inputs, in, "input"));
    PBATCH_ASSIGN_OR_RETURN(pair.output, find_named_port(outputs, out, "output"));
    for (const StatePair& other : states) {
      if (other.input != pair.input && other.output != pair.output) continue;
      return Status(ErrorCode::invalid_argument,
                    "two states name " +
                        (other.input == pair.input ? "input '" + in : "output '" + out) + "'",
                    "give each --state its own input and output");
    }
    states.push_back(pair);
  }
  return states;
}

}  // namespace

std::string describe_ports(const std::vector<PortInfo>& ports) {
  std::string text;
  for (const PortInfo& port : ports) {
    text += (text.empty() ? "'" : ", '") + port.name + "' (" + dtype_name(port.dtype) + " [";
    for (std::size_t i = 0; i < port.shape.size(); ++i) {
      if (i != 0) text += ", ";
      text += port.shape[i] < 0 ? "?" : std::to_string(port.shape[i]);
    }
    text += "])";
  }
  return text.empty() ? "none" : text;
}

Result<std::size_t> find_named_port(const std::vector<PortInfo>& ports, const std::string& name,
                                    const std::string& kind) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return i;
  }
  return Status(ErrorCode::not_found, "the network has no " + kind + " '" + name + "'",
                "its " + kind + "s are " + describe_ports(ports));
}

Result<StepPorts> find_step_ports(const std::vector<PortInfo>& inputs,
                                  const std::vector<PortInfo>& outputs, const FedInput& fed,
                                  const StepPortOptions& options, bool constants) {
  StepPorts ports;
  PBATCH_ASSIGN_OR_RETURN(ports.states, told_states(inputs, outputs, options));
  PBATCH_ASSIGN_OR_RETURN(ports.input, find_fed_input(inputs, outputs, fed, options, ports.states));
  std::optional<std::size_t> read;
  if (!options.output.empty()) {
    PBATCH_ASSIGN_OR_RETURN(read, find_named_port(outputs, options.output, "output"));
  }

  std::vector<std::size_t> free_inputs, free_outputs;
  std::vector<PortInfo> in, out;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool told = std::any_of(ports.states.begin(), ports.states.end(),
                                  [&](const StatePair& pair) { return pair.input == i; });
    if (told && i == ports.input) {
      return Status(ErrorCode::invalid_argument,
                    "input '" + inputs[i].name + "' takes the " + fed.what + " and is no state",
                    "leave its --state out");
    }
    if (told || i == ports.input) continue;
    free_inputs.push_back(i);
    in.push_back(inputs[i]);
  }
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const bool told = std::any_of(ports.states.begin(), ports.states.end(),
                                  [&](const StatePair& pair) { return pair.output == o; });
    if (told || read == o) continue;
    free_outputs.push_back(o);
    out.push_back(outputs[o]);
  }
  const auto matches = match_ports(in, out);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (matches[i]) {
      ports.states.push_back({free_inputs[i], free_outputs[*matches[i]]});
    } else if (constants) {
      ports.constant.push_back(free_inputs[i]);
    } else {
      return Status(
          ErrorCode::invalid_argument,
          "it is not clear which output input '" + in[i].name + "' follows from",
          "give --state " + in[i].name + "=OUTPUT; free outputs are " + describe_ports(out));
    }
  }
  std::sort(ports.states.begin(), ports.states.end(),
            [](const StatePair& a, const StatePair& b) { return a.input < b.input; });
  if (!read) {
    std::vector<std::size_t> left;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const bool state = std::any_of(ports.states.begin(), ports.states.end(),
                                     [&](const StatePair& pair) { return pair.output == o; });
      if (!state) left.push_back(o);
    }
    if (left.size() != 1) {
      return Status(ErrorCode::invalid_argument, "it is not clear which output is to be read",
                    "name it with --output; the outputs are " + describe_ports(outputs));
    }
    read = left[0];
  }
  ports.output = *read;
  return ports;
}

std::string describe_states(const std::vector<PortInfo>& inputs,
                            const std::vector<PortInfo>& outputs, const StepPorts& ports) {
  std::string text;
  for (const StatePair& pair : ports.states) {
    text +=
        (text.empty() ? "" : ", ") + inputs[pair.input].name + " <- " + outputs[pair.output].name;
  }
  return text.empty() ? "none" : text;
}

}  // namespace pbatch
