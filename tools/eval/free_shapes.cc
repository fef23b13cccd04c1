#include "tools/eval/free_shapes.h"

#include <algorithm>

#include "feed/free_dims.h"
#include "tools/io/port_files.h"

namespace pbatch {

Status check_shape_names(const Session& session, const std::map<std::string, Shape>& given) {
  for (const auto& [name, shape] : given) {
    std::string known;
    bool found = false;
    for (const PortInfo& port : session.inputs()) {
      found = found || port.name == name;
      known += (known.empty() ? "'" : ", '") + port.name + "' (" + describe_type(port) + ")";
    }
    if (!found) {
      return {ErrorCode::not_found, "the network has no input '" + name + "'",
              "its inputs are " + known};
    }
  }
  return Status::ok();
}

Status needs_shapes(const Session& session, const Status& why, const std::string& else_) {
  std::string wanted;
  for (const PortInfo& port : session.inputs()) {
    const bool free =
        std::any_of(port.shape.begin(), port.shape.end(), [](std::int64_t d) { return d < 0; });
    if (free && !port.optional) wanted += " --shape " + port.name + "=D1xD2..";
  }
  Status status(why.code(), "no sizes tried for its free dimensions let it run: " + why.message(),
                "give" + wanted + else_);
  return std::move(status).at_node(why.node());
}

Result<Planned> plan_that_fits(const Session& session, const Precision& precision,
                               const std::map<std::string, Shape>& given, std::int64_t batch) {
  PBATCH_RETURN_IF_ERROR(check_shape_names(session, given));
  const FreeDims dims(session.inputs(), given, batch, sizes_read_by(session.layers()));
  Status why;
  for (const FreeDims::Sizes& sizes : dims.candidates()) {
    Planned planned;
    for (const PortInfo& port : session.inputs()) {
      if (port.optional && given.count(port.name) == 0) continue;
      planned.inputs.push_back({port.name, dims.shape(port, sizes)});
    }
    Result<std::vector<PlanStep>> steps = session.plan(precision, planned.inputs);
    if (steps) {
      planned.steps = *std::move(steps);
      return planned;
    }
    if (dims.empty() || steps.status().code() != ErrorCode::shape_mismatch) return steps.status();
    if (why) why = steps.status();
  }
  return needs_shapes(session, why, "");
}

}  // namespace pbatch
