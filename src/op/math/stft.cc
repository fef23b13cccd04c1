// STFT: Fourier transforms of parts of a signal, a step apart, each times a window.
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/math/fourier.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

struct SignalFrames {
  std::int64_t batch = 0, samples = 0, parts = 1, step = 1, length = 0;
  bool onesided = true, windowed = false;

  std::int64_t frames() const { return (samples - length) / step + 1; }
  std::int64_t bins() const { return onesided ? length / 2 + 1 : length; }

  void run(const StepCall& call) const {
    const FourierTransform transform(length, false, call.scratch);
    float* to = call.output<float>(0);
    for (std::int64_t i = 0; i < batch * frames(); ++i) {
      const std::int64_t first = i / frames() * samples + i % frames() * step;
      const float* const from = call.input<float>(0) + first * parts;
      for (std::int64_t k = 0; k < length; ++k) {
        const double weight = windowed ? call.input<float>(2)[k] : 1.0;
        transform.input()[k] = {weight * from[k * parts],
                                parts == 2 ? weight * from[k * parts + 1] : 0.0};
      }
      const Complex* const spectrum = transform.run();
      for (std::int64_t k = 0; k < bins(); ++k) {
        *to++ = static_cast<float>(spectrum[k].re);
        *to++ = static_cast<float>(spectrum[k].im);
      }
    }
  }
};

class Stft final : public Op {
 public:
  explicit Stft(bool onesided) : onesided_(onesided) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    const Tensor& x = *request.inputs[0];
    const Tensor* const window = input_or_null(request.inputs, 2);
    const Tensor* const frame_length = input_or_null(request.inputs, 3);
    PBATCH_RETURN_IF_ERROR(expect_float(&x, "the signal"));
    if (window != nullptr) PBATCH_RETURN_IF_ERROR(expect_float(window, "the window"));
    const bool known = request.knows(1) && (frame_length == nullptr || request.knows(3));
    if (!known) return StepPlan::not_yet();
    // Exporters leave the last dimension of a real signal out.
    const bool has_parts = x.rank() == 3;
    if ((x.rank() != 2 && !has_parts) || (has_parts && x.dim(2) != 1 && x.dim(2) != 2)) {
      return Status(ErrorCode::shape_mismatch, "the signal is " + shape_to_string(x.shape()),
                    "feed [batch, samples, 1], or 2 for real and imaginary parts");
    }
    SignalFrames f;
    f.batch = x.dim(0);
    f.samples = x.dim(1);
    f.parts = has_parts ? x.dim(2) : 1;
    f.onesided = onesided_;
    f.windowed = window != nullptr;
    f.length = window != nullptr ? window->size() : f.samples;
    PBATCH_ASSIGN_OR_RETURN(f.step, read_integer(*request.inputs[1], "frame_step"));
    if (frame_length != nullptr) {
      PBATCH_ASSIGN_OR_RETURN(f.length, read_integer(*frame_length, "frame_length"));
    }
    if (f.onesided && f.parts == 2) {
      return Status(ErrorCode::shape_mismatch, "onesided = 1 of a complex signal",
                    "feed a real one, with a last dimension of 1");
    }
    if (window != nullptr && window->shape() != Shape{f.length}) {
      return Status(ErrorCode::shape_mismatch,
                    "the window is " + shape_to_string(window->shape()) + " for frames of " +
                        std::to_string(f.length),
                    "feed a window of the length of a frame");
    }
    if (f.step < 1 || f.length < 1 || f.length > f.samples) {
      return Status(ErrorCode::invalid_argument,
                    "frames of " + std::to_string(f.length) + " samples, " +
                        std::to_string(f.step) + " apart, of a signal of " +
                        std::to_string(f.samples),
                    "feed a signal of at least one frame, and a step from 1 on");
    }
    StepPlan plan =
        StepPlan::of({DType::f32, {f.batch, f.frames(), f.bins(), 2}}, [f](const StepCall& call) {
          f.run(call);
          return Status::ok();
        });
    plan.scratch_bytes = FourierTransform::work_bytes(f.length);
    return plan;
  }

 private:
  bool onesided_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_stft(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 2, 4));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t onesided, node.int_attr("onesided", 1));
  return std::unique_ptr<Op>(new Stft(onesided != 0));
}

}  // namespace pbatch
