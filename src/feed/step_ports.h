// What goes into a network at each step, what comes back from the step before, and what is read.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/network.h"
#include "pbatch/status.h"

namespace pbatch {

/// What the caller knows; empty where it is to be found out.
struct StepPortOptions {
  std::string input, output;                                ///< fed and read
  std::vector<std::pair<std::string, std::string>> states;  ///< (input, the output it follows from)
};

/// A value that a network gives out and takes in again at its next run; indices of its ports.
struct StatePair {
  std::size_t input = 0, output = 0;
};

struct StepPorts {
  std::size_t input = 0, output = 0;  ///< fed, and read, at every step
  std::vector<StatePair> states;      ///< in the order of the network's inputs
  std::vector<std::size_t> constant;  ///< inputs that follow from nothing
};

/// The kind of input that is fed.
struct FedInput {
  std::string what;  ///< "token", for messages
  std::function<bool(const PortInfo&)> fits;
};

/// Finds the ports of a network with these inputs and outputs: the input by name, or as the only
/// one, as the only one that fits, or as the only such that is no state by its name; states as
/// told, the others by match_ports; the output by name, or as the only one left over. What stays
/// unclear is an error that lists the candidates; so are constant inputs unless `constants` says
/// that they may be.
Result<StepPorts> find_step_ports(const std::vector<PortInfo>& inputs,
                                  const std::vector<PortInfo>& outputs, const FedInput& fed,
                                  const StepPortOptions& options, bool constants = false);

/// "h_in <- h_out, c_in <- c_out"; "none" where there are none.
std::string describe_states(const std::vector<PortInfo>& inputs,
                            const std::vector<PortInfo>& outputs, const StepPorts& ports);

/// "'h' (float32 [1, ?, 128])", as messages list ports.
std::string describe_ports(const std::vector<PortInfo>& ports);

/// Index of the port of that name; not_found lists the names there are. `kind`: "input", "output".
Result<std::size_t> find_named_port(const std::vector<PortInfo>& ports, const std::string& name,
                                    const std::string& kind);

}  // namespace pbatch
