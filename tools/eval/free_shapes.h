// Sizes for the free dimensions of a network's inputs, for who has no inputs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pbatch/session.h"

namespace pbatch {

/// An error for a name that is none of the session's inputs.
Status check_shape_names(const Session& session, const std::map<std::string, Shape>& given);

/// The error where no sizes that were tried let a network run, of which `why` was the first.
/// `else_`: what helps besides --shape.
Status needs_shapes(const Session& session, const Status& why, const std::string& else_);

struct Planned {
  std::vector<InputShape> inputs;
  std::vector<PlanStep> steps;
};

/// The plan for the first sizes of free dimensions at which the network can run. `given`: shapes by
/// input; `batch`: what free first dimensions are.
Result<Planned> plan_that_fits(const Session& session, const Precision& precision,
                               const std::map<std::string, Shape>& given, std::int64_t batch);

}  // namespace pbatch
