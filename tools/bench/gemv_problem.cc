#include "tools/bench/gemv_problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "graph/graph.h"
#include "pbatch/quantize.h"
#include "quantize/quantize_graph.h"

namespace pbatch {
namespace {

// A network of one layer, for the quantizer takes networks.
Result<std::shared_ptr<const BitMatrix>> quantize_weights(const std::vector<float>& weights,
                                                          std::int64_t rows, std::int64_t cols,
                                                          int planes, int group) {
  PBATCH_ASSIGN_OR_RETURN(Tensor w, Tensor::create(DType::f32, {cols, rows}));
  auto* to = w.mutable_data<float>();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      to[c * rows + r] = weights[static_cast<std::size_t>(r * cols + c)];
    }
  }
  Graph graph;
  graph.opsets = {{"", 17}, {"pbatch", 1}};
  Value x, constant, y;
  x.name = "x";
  x.dims = {{1, {}}, {cols, {}}};
  constant.name = "w";
  constant.constant = std::move(w);
  y.name = "y";
  const ValueId x_id = graph.add_value(std::move(x));
  const ValueId w_id = graph.add_value(std::move(constant));
  const ValueId y_id = graph.add_value(std::move(y));
  graph.inputs = {x_id};
  graph.outputs = {y_id};
  Node node;
  node.name = "bench";
  node.op_type = "Linear";
  node.domain = "pbatch";
  node.opset = 1;
  node.inputs = {x_id, w_id};
  node.outputs = {y_id};
  graph.nodes.push_back(std::move(node));
  QuantizeOptions options;
  options.planes = planes;
  options.group = group;
  options.min_elements = 0;
  PBATCH_ASSIGN_OR_RETURN(const std::vector<LayerReport> report, quantize_graph(graph, options));
  for (const Node& made : graph.nodes) {
    if (made.matrix != nullptr) return made.matrix;
  }
  return Status(ErrorCode::internal, "the quantizer left the bench's matrix as floats",
                report.empty() ? "report this" : report[0].reason);
}

}  // namespace

Result<GemvProblem> make_gemv_problem(std::int64_t rows, std::int64_t cols, std::int64_t batch,
                                      int planes, int group) {
  GemvProblem problem{rows, cols, batch, nullptr, {}, nullptr};
  auto weights = std::make_shared<std::vector<float>>(static_cast<std::size_t>(rows * cols));
  std::mt19937 random(20200303);
  std::normal_distribution<float> normal;
  problem.x.resize(static_cast<std::size_t>(batch * cols));
  for (float& w : *weights) w = 0.05F * normal(random);
  for (float& v : problem.x) v = normal(random);
  PBATCH_ASSIGN_OR_RETURN(problem.matrix, quantize_weights(*weights, rows, cols, planes, group));
  problem.weights = std::move(weights);
  return problem;
}

GemvProblem with_batch(const GemvProblem& problem, std::int64_t batch) {
  GemvProblem some{problem.rows, problem.cols, batch, problem.weights, {}, problem.matrix};
  some.x.assign(problem.x.begin(), problem.x.begin() + batch * problem.cols);
  return some;
}

CheckedRows checked_rows(const GemvProblem& problem) {
  constexpr std::int64_t kMostProducts = std::int64_t{1} << 26;
  const std::int64_t products = problem.rows * problem.cols * problem.batch;
  const std::int64_t step = std::clamp(products / kMostProducts, std::int64_t{1}, problem.rows);
  return {(problem.rows - 1) % step, step};
}

std::vector<double> naive_product(const GemvProblem& problem, const float* weights,
                                  const std::vector<float>& x) {
  const CheckedRows rows = checked_rows(problem);
  std::vector<double> y;
  for (std::int64_t b = 0; b < problem.batch; ++b) {
    const float* const vector = x.data() + b * problem.cols;
    for (std::int64_t r = rows.first; r < problem.rows; r += rows.step) {
      const float* const row = weights + r * problem.cols;
      std::array<double, 4> sums{};  // an addition need not wait for the one before
      for (std::int64_t c = 0; c < problem.cols; ++c) {
        sums[static_cast<std::size_t>(c % 4)] +=
            static_cast<double>(row[c]) * static_cast<double>(vector[c]);
      }
      y.push_back((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
  }
  return y;
}

std::vector<float> rounded_activations(const GemvProblem& problem, int activation_bits) {
  const float qmax = activation_bits == 8 ? 127.0F : activation_bits == 16 ? 32767.0F : 0x1p30F;
  std::vector<float> out(problem.x.size());
  for (std::int64_t b = 0; b < problem.batch; ++b) {
    const float* const x = problem.x.data() + b * problem.cols;
    float most = 0;
    for (std::int64_t c = 0; c < problem.cols; ++c) most = std::max(most, std::fabs(x[c]));
    const float step = most / qmax, inverse = qmax / most;
    for (std::int64_t c = 0; c < problem.cols; ++c) {
      const float q = std::clamp(std::nearbyint(x[c] * inverse), -qmax, qmax);
      out[static_cast<std::size_t>(b * problem.cols + c)] = most > 0 ? q * step : 0.0F;
    }
  }
  return out;
}

Status check_answer(const GemvProblem& problem, const std::vector<float>& y,
                    const std::vector<double>& right, double tolerance, const std::string& who) {
  const CheckedRows rows = checked_rows(problem);
  double difference = 0, norm = 0;
  std::size_t next = 0;
  for (std::int64_t b = 0; b < problem.batch; ++b) {
    for (std::int64_t r = rows.first; r < problem.rows; r += rows.step, ++next) {
      const double d =
          static_cast<double>(y[static_cast<std::size_t>(b * problem.rows + r)]) - right[next];
      difference += d * d;
      norm += right[next] * right[next];
    }
  }
  if (std::sqrt(difference) <= tolerance * std::sqrt(norm)) return Status::ok();
  return {ErrorCode::internal,
          fmt::format("{} computes a wrong product: relative error {:.2e}", who,
                      std::sqrt(difference / norm)),
          "report this with the machine's processor name"};
}

}  // namespace pbatch
