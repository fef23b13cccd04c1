// NAME=FILE: tensors in and out of a network.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/network.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// NAME=FILE, as typed; a text without '=' has an empty name and means the only port.
struct PortFile {
  std::string name, file;
};
/// Names may hold '=', and so may files: the name of one of `ports` decides where there is a
/// choice, else the first '=' does.
PortFile parse_port_file(const std::string& text, const std::vector<PortInfo>& ports);
/// The file of `text` where there is no choice; else empty.
std::string unambiguous_file(const std::string& text);
/// Whether NAME=FILE names a file at all.
bool names_file(const std::string& text);

/// Reads each of these inputs of a network from its file and converts it to the type
/// that the network takes where no value is lost. Optional inputs may have none. Errors name the
/// input and what it should be; unknown names list the known ones.
Result<std::vector<NamedTensor>> load_inputs(const std::vector<PortInfo>& ports,
                                             const std::vector<PortFile>& files);

/// Index of the output of that name (empty: the only one).
Result<std::size_t> find_output(const std::vector<PortInfo>& outputs, const std::string& name);

/// "float32 [batch, ?, 784]".
std::string describe_type(const PortInfo& port);

}  // namespace pbatch
