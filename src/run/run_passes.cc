#include "run/run_passes.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "graph/passes.h"

namespace pbatch {
namespace {

struct Pass {
  const char* name;
  Status (*run)(Graph& graph);
};

constexpr Pass kPasses[] = {{"fuse_activations", fuse_activations},
                            {"fuse_layer_norm", fuse_layer_norm},
                            {"fuse_rms_norm", fuse_rms_norm},
                            {"chain_steps", nullptr}};  // of plans

std::string names_of_passes() {
  std::string names;
  for (const Pass& pass : kPasses) names += (names.empty() ? "" : ", ") + std::string(pass.name);
  return names;
}

Result<std::set<std::string>> left_out() {
  std::set<std::string> names;
  const char* const text = std::getenv("PBATCH_WITHOUT");
  std::istringstream list(text != nullptr ? text : "");
  for (std::string name; std::getline(list, name, ',');) {
    const bool known = std::any_of(std::begin(kPasses), std::end(kPasses),
                                   [&](const Pass& pass) { return pass.name == name; });
    if (!known) {
      return Status(ErrorCode::invalid_argument, "PBATCH_WITHOUT names '" + name + "', no pass",
                    "the passes are " + names_of_passes() + "; write a comma between two");
    }
    names.insert(std::move(name));
  }
  return names;
}

}  // namespace

Status apply_run_passes(Graph& graph) {
  PBATCH_ASSIGN_OR_RETURN(const std::set<std::string> without, left_out());
  for (const Pass& pass : kPasses) {
    if (pass.run != nullptr && without.count(pass.name) == 0)
      PBATCH_RETURN_IF_ERROR(pass.run(graph));
  }
  return remove_unused(graph);
}

Result<bool> is_left_out(const char* pass) {
  PBATCH_ASSIGN_OR_RETURN(const std::set<std::string> without, left_out());
  return without.count(pass) != 0;
}

}  // namespace pbatch
