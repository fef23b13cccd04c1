// HannWindow, HammingWindow and BlackmanWindow: what a part of a signal is multiplied by before its
// Fourier transform, a sum of cosines.
#include <cmath>
#include <numbers>

#include "graph/onnx_dtype.h"
#include "op/convert.h"
#include "op/data_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

// c0 - c1 cos(2 pi t) + c2 cos(4 pi t) for t from 0 to 1.
struct Cosines {
  double c0, c1, c2;
};

class CosineWindow final : public Op {
 public:
  CosineWindow(Cosines cosines, bool periodic, DType type)
      : cosines_(cosines), periodic_(periodic), type_(type) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    if (!request.knows(0)) return StepPlan::not_yet();
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t size,
                            read_integer(*request.inputs[0], "the size of a window"));
    PBATCH_ASSIGN_OR_RETURN(Tensor window, request.context.allocate(DType::f32, {size}));
    // The end of a symmetric window is its start again; one of one element is 1.
    const auto period = static_cast<double>(periodic_ ? size : size - 1);
    for (std::int64_t i = 0; i < size; ++i) {
      const double angle =
          period == 0 ? std::numbers::pi : 2 * std::numbers::pi * static_cast<double>(i) / period;
      window.mutable_data<float>()[i] = static_cast<float>(
          cosines_.c0 - cosines_.c1 * std::cos(angle) + cosines_.c2 * std::cos(2 * angle));
    }
    PBATCH_ASSIGN_OR_RETURN(window, convert(request.context, window, type_));
    return StepPlan::constant(std::move(window));
  }

 private:
  Cosines cosines_;
  bool periodic_;
  DType type_;
};

Result<std::unique_ptr<Op>> make_window(const Node& node, Cosines cosines) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 1, 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t periodic, node.int_attr("periodic", 1));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t code,
                          node.int_attr("output_datatype", dtype_to_onnx(DType::f32)));
  const std::optional<DType> type = dtype_from_onnx(code);
  if (!type) {
    return Status(ErrorCode::unsupported, "a window of " + onnx_type_name(code),
                  "use float32 or integers");
  }
  return std::unique_ptr<Op>(new CosineWindow(cosines, periodic != 0, *type));
}

}  // namespace

Result<std::unique_ptr<Op>> make_hann_window(const Graph&, const Node& node) {
  return make_window(node, {0.5, 0.5, 0.0});
}

Result<std::unique_ptr<Op>> make_hamming_window(const Graph&, const Node& node) {
  return make_window(node, {25.0 / 46.0, 21.0 / 46.0, 0.0});
}

Result<std::unique_ptr<Op>> make_blackman_window(const Graph&, const Node& node) {
  return make_window(node, {0.42, 0.5, 0.08});
}

}  // namespace pbatch
