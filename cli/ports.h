// NAME=FILE on the command line: tensors in and out.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/session.h"

namespace pbatch::cli {

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

/// Reads each input of `session` from its file and converts it to the type
/// that the network takes where no value is lost. Optional inputs may have none. Errors name the
/// input and what it should be; unknown names list the known ones.
Result<std::vector<NamedTensor>> load_inputs(const Session& session,
                                             const std::vector<PortFile>& files);

/// Index of the output of that name (empty: the only one).
Result<std::size_t> find_output(const Session& session, const std::string& name);

/// "float32 [batch, ?, 784]".
std::string describe_type(const PortInfo& port);

}  // namespace pbatch::cli
