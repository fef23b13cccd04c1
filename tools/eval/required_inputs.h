// The inputs that a network must be fed.
#pragma once

#include <vector>

#include "pbatch/session.h"

namespace pbatch {

/// session.inputs() without the optional ones, which stand behind the others.
inline std::vector<PortInfo> required_inputs(const Session& session) {
  std::vector<PortInfo> required;
  for (const PortInfo& port : session.inputs()) {
    if (!port.optional) required.push_back(port);
  }
  return required;
}

}  // namespace pbatch
