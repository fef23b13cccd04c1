// MelWeightMatrix: triangles over the bins of a spectrum, evenly spaced on the mel scale.
#include <algorithm>
#include <cmath>

#include "graph/onnx_dtype.h"
#include "op/convert.h"
#include "op/data_checks.h"
#include "op/float_checks.h"
#include "op/node_checks.h"
#include "op/op.h"

namespace pbatch {
namespace {

constexpr double kMelScale = 2595, kMelKnee = 700;  // mel = 2595 log10(1 + hertz / 700)

double mel_of(double hertz) { return kMelScale * std::log10(1 + hertz / kMelKnee); }
double hertz_of(double mel) { return kMelKnee * (std::pow(10.0, mel / kMelScale) - 1); }

struct MelBands {
  std::int64_t bands = 0, dft_length = 0, sample_rate = 0;
  double lower = 0, upper = 0;  // hertz

  std::int64_t bins() const { return dft_length / 2 + 1; }

  // The bin of edge `i` of bands + 2: where triangle i starts and triangle i - 1 has its peak.
  double edge(std::int64_t i) const {
    const double step = (mel_of(upper) - mel_of(lower)) / static_cast<double>(bands + 2);
    const double hertz = hertz_of(mel_of(lower) + step * static_cast<double>(i));
    return std::floor((static_cast<double>(dft_length) + 1) * hertz /
                      static_cast<double>(sample_rate));
  }

  Status check() const {
    const double last = edge(bands + 1);
    if (bands >= 0 && dft_length >= 1 && sample_rate >= 1 && lower >= 0 && lower <= upper &&
        last < static_cast<double>(bins())) {
      return Status::ok();
    }
    return {ErrorCode::invalid_argument,
            std::to_string(bands) + " bands from " + std::to_string(lower) + " to " +
                std::to_string(upper) + " hertz of a transform of " + std::to_string(dft_length) +
                " samples at " + std::to_string(sample_rate) + " hertz",
            "feed edges from 0 to half the sample rate"};
  }

  // weights: [bins][bands], zeros.
  void fill(float* weights) const {
    for (std::int64_t b = 0; b < bands; ++b) {
      const auto begin = static_cast<std::int64_t>(edge(b));
      const auto peak = static_cast<std::int64_t>(edge(b + 1));
      const auto end = static_cast<std::int64_t>(edge(b + 2));
      for (std::int64_t i = begin; i < peak; ++i) {
        weights[i * bands + b] = static_cast<float>(i - begin) / static_cast<float>(peak - begin);
      }
      weights[peak * bands + b] = 1;
      for (std::int64_t i = peak + 1; i < end; ++i) {
        weights[i * bands + b] = static_cast<float>(end - i) / static_cast<float>(end - peak);
      }
    }
  }
};

Result<double> read_hertz(const Tensor& t) {
  PBATCH_RETURN_IF_ERROR(expect_float(&t, "an edge of the bands"));
  if (t.size() != 1) {
    return Status(ErrorCode::shape_mismatch, "an edge of the bands is " + describe_tensor(t),
                  "feed one number");
  }
  return static_cast<double>(*t.data<float>());
}

class MelWeightMatrix final : public Op {
 public:
  explicit MelWeightMatrix(DType type) : type_(type) {}

  Result<StepPlan> plan(const PlanRequest& request) const override {
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
      if (!request.knows(i)) return StepPlan::not_yet();
    }
    MelBands mel;
    PBATCH_ASSIGN_OR_RETURN(mel.bands, read_integer(*request.inputs[0], "num_mel_bins"));
    PBATCH_ASSIGN_OR_RETURN(mel.dft_length, read_integer(*request.inputs[1], "dft_length"));
    PBATCH_ASSIGN_OR_RETURN(mel.sample_rate, read_integer(*request.inputs[2], "sample_rate"));
    PBATCH_ASSIGN_OR_RETURN(mel.lower, read_hertz(*request.inputs[3]));
    PBATCH_ASSIGN_OR_RETURN(mel.upper, read_hertz(*request.inputs[4]));
    PBATCH_RETURN_IF_ERROR(mel.check());
    PBATCH_ASSIGN_OR_RETURN(Tensor weights,
                            request.context.allocate(DType::f32, {mel.bins(), mel.bands}));
    std::fill_n(weights.mutable_data<float>(), weights.size(), 0.0F);
    mel.fill(weights.mutable_data<float>());
    PBATCH_ASSIGN_OR_RETURN(weights, convert(request.context, weights, type_));
    return StepPlan::constant(std::move(weights));
  }

 private:
  DType type_;
};

}  // namespace

Result<std::unique_ptr<Op>> make_mel_weight_matrix(const Graph&, const Node& node) {
  PBATCH_RETURN_IF_ERROR(check_arity(node, 5, 5));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t code,
                          node.int_attr("output_datatype", dtype_to_onnx(DType::f32)));
  const std::optional<DType> type = dtype_from_onnx(code);
  if (!type) {
    return Status(ErrorCode::unsupported, "MelWeightMatrix of " + onnx_type_name(code),
                  "use float32 or integers");
  }
  return std::unique_ptr<Op>(new MelWeightMatrix(*type));
}

}  // namespace pbatch
