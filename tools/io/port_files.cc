#include "tools/io/port_files.h"

#include <algorithm>

#include "feed/convert.h"
#include "tools/io/array_file.h"

namespace pbatch {
namespace {

std::string list_names(const std::vector<PortInfo>& ports) {
  std::string names;
  for (const PortInfo& port : ports) {
    names += (names.empty() ? "'" : ", '") + port.name + "' (" + describe_type(port) + ")";
  }
  return names.empty() ? "none" : names;
}

Result<std::size_t> find_port(const std::vector<PortInfo>& ports, const std::string& name,
                              const std::string& kind) {
  const auto required = std::count_if(ports.begin(), ports.end(),
                                      [](const PortInfo& port) { return !port.optional; });
  if (name.empty() && required == 1) return std::size_t{0};  // optional ones stand behind it
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return i;
  }
  const std::string message = name.empty() ? "which " + kind + " is meant must be said"
                                           : "the network has no " + kind + " '" + name + "'";
  return Status(ErrorCode::not_found, message,
                "give --" + kind + " NAME=FILE; its " + kind + "s are " + list_names(ports));
}

}  // namespace

PortFile parse_port_file(const std::string& text, const std::vector<PortInfo>& ports) {
  const std::size_t first = text.find('=');
  if (first == std::string::npos) return {{}, text};
  std::size_t equals = first;
  for (const PortInfo& port : ports) {
    const std::size_t length = port.name.size();
    if (length > equals && text.size() > length && text[length] == '=' &&
        text.compare(0, length, port.name) == 0) {
      equals = length;
    }
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::string unambiguous_file(const std::string& text) {
  const std::size_t equals = text.find('=');
  return text.find('=', equals + 1) == std::string::npos || equals == std::string::npos
             ? text.substr(equals + 1)
             : std::string();
}

bool names_file(const std::string& text) { return !text.empty() && text.back() != '='; }

std::string describe_type(const PortInfo& port) {
  std::string text = std::string(dtype_name(port.dtype)) + " [";
  for (std::size_t i = 0; i < port.shape.size(); ++i) {
    if (i != 0) text += ", ";
    const bool named = i < port.dim_names.size() && !port.dim_names[i].empty();
    text += port.shape[i] >= 0 ? std::to_string(port.shape[i]) : named ? port.dim_names[i] : "?";
  }
  return text + "]";
}

Result<std::vector<NamedTensor>> load_inputs(const std::vector<PortInfo>& ports,
                                             const std::vector<PortFile>& files) {
  std::vector<NamedTensor> inputs;
  for (const PortFile& given : files) {
    PBATCH_ASSIGN_OR_RETURN(const std::size_t index, find_port(ports, given.name, "input"));
    const PortInfo& port = ports[index];
    PBATCH_ASSIGN_OR_RETURN(const ArrayFile array, read_array(given.file));
    auto converted = convert_tensor(array.tensor, port.dtype);
    if (!converted) {
      return Status(converted.status().code(),
                    "input '" + port.name + "' takes " + describe_type(port) + ": " +
                        converted.status().message(),
                    converted.status().remedy())
          .in_file(given.file);
    }
    inputs.push_back({port.name, *std::move(converted)});
  }
  for (const PortInfo& port : ports) {
    bool found = false;
    for (const NamedTensor& input : inputs) found = found || input.name == port.name;
    if (!found && !port.optional) {
      return Status(ErrorCode::invalid_argument, "input '" + port.name + "' is missing",
                    "give --input NAME=FILE for each of " + list_names(ports));
    }
  }
  return inputs;
}

Result<std::size_t> find_output(const std::vector<PortInfo>& outputs, const std::string& name) {
  return find_port(outputs, name, "output");
}

}  // namespace pbatch
