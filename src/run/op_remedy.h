// What to do about an operator that cannot run.
#pragma once

#include <string>

#include "graph/graph.h"

namespace pbatch {

std::string remedy_for(const Node& node);

}  // namespace pbatch
