// Plans from C.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/c_guard.h"
#include "api/c_precision.h"
#include "api/c_session.h"
#include "pbatch/pbatch.h"

struct pbatch_plan {
  std::vector<pbatch::PlanStep> steps;
};

namespace pbatch {
namespace {

constexpr std::size_t kMaxShapeRank = 64;

Result<std::vector<InputShape>> read_shapes(const pbatch_input_shape* given, std::size_t count) {
  if (count > 0 && given == nullptr) return null_argument("shapes");
  std::vector<InputShape> shapes;
  for (const pbatch_input_shape& s : std::span(given, count)) {
    if (s.name == nullptr) return null_argument("the name of an input");
    if (s.rank > kMaxShapeRank || (s.rank > 0 && s.shape == nullptr)) {
      return Status(ErrorCode::invalid_argument,
                    "input '" + std::string(s.name) + "' has no usable shape",
                    "pass 'rank' dimensions in 'shape'");
    }
    shapes.push_back({s.name, Shape(s.shape, s.shape + s.rank)});
  }
  return shapes;
}

Result<std::vector<PlanStep>> plan(const pbatch_session* session, const pbatch_precision* bits,
                                   const pbatch_input_shape* given, std::size_t count) {
  if (session == nullptr) return null_argument("session");
  PBATCH_ASSIGN_OR_RETURN(const Precision precision, read_precision(bits));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<InputShape> shapes, read_shapes(given, count));
  return session->session.plan(precision, shapes);
}

}  // namespace
}  // namespace pbatch

using pbatch::Status;

extern "C" {

pbatch_code pbatch_prepare(const pbatch_session* session, const pbatch_precision* precision,
                           const pbatch_input_shape* shapes, size_t count, pbatch_error* error) {
  return pbatch::guard_c(
      error, [&]() -> Status { return pbatch::plan(session, precision, shapes, count).status(); });
}

pbatch_code pbatch_plan_create(const pbatch_session* session, const pbatch_precision* precision,
                               const pbatch_input_shape* shapes, size_t count, pbatch_plan** plan,
                               pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (plan == nullptr) return pbatch::null_argument("plan");
    *plan = nullptr;
    auto made = std::make_unique<pbatch_plan>();
    PBATCH_ASSIGN_OR_RETURN(made->steps, pbatch::plan(session, precision, shapes, count));
    *plan = made.release();
    return Status::ok();
  });
}

size_t pbatch_plan_count(const pbatch_plan* plan) {
  return plan == nullptr ? 0 : plan->steps.size();
}

pbatch_code pbatch_plan_at(const pbatch_plan* plan, size_t index, pbatch_plan_step* step,
                           pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (plan == nullptr) return pbatch::null_argument("plan");
    if (step == nullptr) return pbatch::null_argument("step");
    if (index >= plan->steps.size()) {
      return {pbatch::ErrorCode::invalid_argument,
              "there is no step of index " + std::to_string(index), "ask pbatch_plan_count first"};
    }
    const pbatch::PlanStep& s = plan->steps[index];
    *step = {s.node.c_str(),
             s.op_type.c_str(),
             s.kernel.c_str(),
             s.planned ? 1 : 0,
             s.shape.size(),
             s.shape.data(),
             {s.weight_bits, s.activation_bits},
             s.rows,
             s.cols,
             s.macs,
             s.weight_bytes,
             s.repack.c_str(),
             s.predicted_us};
    return Status::ok();
  });
}

void pbatch_plan_free(pbatch_plan* plan) { delete plan; }

}  // extern "C"
