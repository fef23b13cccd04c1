// Plans in the words of Session::plan.
#pragma once

#include <vector>

#include "pbatch/plan.h"
#include "pbatch/precision.h"
#include "run/plan.h"

namespace pbatch {

/// What a node does by its plan.
PlanStep info_of(const Node& node, const StepPlan& planned, const Precision& precision);

/// The steps of a plan and of those that its subgraphs have, as far as their types are known
/// before a run; these are made now, if they are not at hand. In the order in which steps end, as
/// in StepTimings.
std::vector<PlanStep> list_steps(const Plan& plan, const RunContext& context);

}  // namespace pbatch
