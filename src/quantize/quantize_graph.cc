#include "quantize/quantize_graph.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/thread_pool.h"
#include "graph/bit_operators.h"
#include "graph/passes.h"
#include "graph/rewrite.h"
#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"
#include "layout/layout.h"
#include "quantize/balance_channels.h"
#include "quantize/compensate.h"
#include "quantize/left_constants.h"
#include "quantize/name_pattern.h"
#include "quantize/options.h"
#include "quantize/quantize_matrix.h"
#include "quantize/row_sums.h"
#include "quantize/same_matrix.h"
#include "quantize/set_floors.h"
#include "quantize/sqnr.h"
#include "quantize/unusual_error.h"
#include "quantize/weight_values.h"
#include "quantize/width_tree.h"

namespace pbatch {
namespace {

// A node whose weight may become bit-layers.
struct Candidate {
  const char* reported = nullptr;  // LayerReport::op_type
  const char* becomes = nullptr;   // an operator of ours
  std::size_t weight_input = 0;
  const Tensor* weight = nullptr;  // null if it is not a constant
  bool turned = false;             // it is [cols][rows]
  WeightView view;
};

bool is_ours(const Node& node, const char* op) {
  return node.op_type == op && (node.domain.empty() || node.domain == kPbatchDomain);
}

// A look-up of rows in a table of floats; other Gathers have nothing to do with weights.
bool is_embedding(const Graph& graph, const Node& node) {
  if (!is_onnx(node, "Gather") || node.inputs.size() != 2) return false;
  const Tensor* const table = graph.constant(node.inputs[0]);
  if (table == nullptr || table->dtype() != DType::f32 || table->rank() != 2) return false;
  const Result<std::int64_t> axis = node.int_attr("axis", 0);
  return axis && (*axis == 0 || *axis == -2);
}

// Weights of Linear, MatMul and Recurrent are [K, N], of Conv [M, C, kernel...], of an embedding
// [rows, cols].
std::optional<Candidate> candidate(const Graph& graph, const Node& node) {
  Candidate c;
  if (is_ours(node, "Conv")) {
    c = {.reported = "Conv", .becomes = "BitConv", .weight_input = 1};
  } else if (is_ours(node, "Linear") || is_ours(node, "MatMul") || is_ours(node, "Gemm")) {
    c = {.reported = "MatMul", .becomes = "BitLinear", .weight_input = 1, .turned = true};
  } else if (is_pbatch(node, "Recurrent")) {
    c = {.reported = "Recurrent", .becomes = "BitRecurrent", .weight_input = 1, .turned = true};
  } else if (is_embedding(graph, node)) {
    c = {.reported = "Gather", .becomes = "BitGather", .weight_input = 0};
  } else {
    return std::nullopt;
  }
  if (node.inputs.size() < 2) return std::nullopt;
  c.weight = graph.constant(node.inputs[c.weight_input]);
  if (c.weight == nullptr || c.weight->rank() < 2) return c;
  c.view = is_ours(node, "Conv") ? conv_weight_view(*c.weight) : weight_view(*c.weight, c.turned);
  return c;
}

bool is_excluded(const Node& node, const QuantizeOptions& options) {
  return std::any_of(options.exclude.begin(), options.exclude.end(),
                     [&](const std::string& p) { return matches_pattern(node.name, p); });
}

// Why a candidate stays float; empty if it does not.
Result<std::string> reason_to_stay(const Graph& graph, const Node& node, const Candidate& c,
                                   const QuantizeOptions& options) {
  for (const std::string& pattern : options.exclude) {
    if (matches_pattern(node.name, pattern)) return std::string("excluded by '" + pattern + "'");
  }
  if (c.weight == nullptr) {
    return std::string(float_constant(graph, node, 0) == nullptr
                           ? "its right operand is not a constant"
                           : "its constant is the left operand and the right one's rank not known");
  }
  if (c.weight->dtype() != DType::f32) {
    return std::string("its weights are ") + dtype_name(c.weight->dtype());
  }
  if (c.turned && c.weight->rank() != 2) return std::string("its weights are not one matrix");
  if (is_ours(node, "Gemm")) {
    return std::string("its attributes or its third input do not fit a linear layer");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t groups, node.int_attr("group", 1));
  if (groups != 1) return std::string("a convolution of several groups");
  if (c.weight->size() == 0) return std::string("it has no weights");
  if (c.weight->size() < options.min_elements) {
    return "fewer than " + std::to_string(options.min_elements) + " weights";
  }
  const bool has_bias = is_ours(node, "Linear") || is_ours(node, "Conv");
  if (has_bias && node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const Tensor* bias = graph.constant(node.inputs[2]);
    if (bias == nullptr || bias->dtype() != DType::f32 || bias->size() != c.view.rows) {
      return std::string("its bias is not a constant vector");
    }
  }
  const std::span<const float> values = c.weight->span<float>();
  std::string reason = c.weight_input == 0 ? reason_of_table(values) : std::string();
  return reason.empty() ? reason_of_weights(values) : reason;
}

// Without what quantization makes of it.
Result<LayerReport> report_of(const Graph& graph, const Node& node, const Candidate& c,
                              const QuantizeOptions& options) {
  LayerReport report;
  report.name = node.name;
  report.op_type = c.reported;
  report.rows = c.view.rows;
  report.cols = c.view.cols;
  report.float_bytes = c.view.rows * c.view.cols * 4;
  PBATCH_ASSIGN_OR_RETURN(report.reason, reason_to_stay(graph, node, c, options));
  return report;
}

void describe(const BitMatrix& m, LayerReport& report) {
  report.quantized = true;
  report.planes = m.planes_stored;
  report.outliers = static_cast<std::int64_t>(m.outlier_places.size());
  report.plane_bytes = plane_bytes(m.rows, m.cols);
  report.scale_bytes = m.scale_bytes();
}

Node bit_node(const Node& node, const Candidate& c, std::shared_ptr<const BitMatrix> matrix) {
  Node bits = node;
  bits.op_type = c.becomes;
  bits.domain = kPbatchDomain;
  bits.opset = kPbatchOpset;
  bits.inputs.erase(bits.inputs.begin() + static_cast<std::ptrdiff_t>(c.weight_input));
  bits.inputs.resize(find_bit_operator(c.becomes)->inputs, kNoValue);
  bits.attributes.erase("axis");  // of an embedding, which has rows only
  if (is_ours(node, "Conv") && !bits.has_attr("kernel_shape")) {
    const Shape& shape = c.weight->shape();
    bits.attributes["kernel_shape"] = std::vector<std::int64_t>(shape.begin() + 2, shape.end());
  }
  if (c.view.taps > 1) bits.attributes[kColumnOrder] = std::string(kChannelBlocks);
  bits.matrix = std::move(matrix);
  return bits;
}

class GraphQuantizer {
 public:
  GraphQuantizer(const QuantizeOptions& options, MomentSource* moments)
      : options_(options), moments_(moments), pool_(options.threads) {}

  // Every matrix that becomes bit-layers, at every depth, before any is quantized. The
  // constants of `graph` stay while it is quantized.
  void count_matrices(const Graph& graph) {
    visit_graphs(graph, [this](const Graph& g) {
      for (const Node& node : g.nodes) {
        const std::optional<Candidate> c = candidate(g, node);
        if (!c || c->weight == nullptr || c->weight->dtype() != DType::f32) continue;
        if (c->weight->rank() < 2 || c->weight->size() < options_.min_elements) continue;
        census_.add(c->view, &pool_);
        ++matrices_;
      }
    });
  }

  Status quantize(Graph& graph) {
    PBATCH_RETURN_IF_ERROR(balance_channels(
        graph, {options_.group, options_.min_elements, options_.exclude, &census_}, &pool_));
    for (Node& node : graph.nodes) {
      if (Status s = quantize_node(graph, node); !s) return std::move(s).at_node(node.name);
      PBATCH_RETURN_IF_ERROR(
          change_subgraphs(node, [this](Graph& subgraph) { return quantize(subgraph); }));
    }
    return Status::ok();
  }

  std::vector<LayerReport> reports;

 private:
  struct Done {
    Tensor weight;  // keeps what the view shows
    WeightView view;
    QuantizedMatrix made;
    std::vector<double> gain_db;  // of compensated codes; else empty
  };

  Status quantize_node(const Graph& graph, Node& node) {
    const std::optional<Candidate> c = candidate(graph, node);
    if (!c) return Status::ok();
    PBATCH_ASSIGN_OR_RETURN(LayerReport report, report_of(graph, node, *c, options_));
    if (report.reason.empty()) {
      const Result<const Done*> made = matrix_of(*c, node.name);
      ++seen_;
      if (options_.progress) options_.progress("codes", seen_, std::max(seen_, matrices_));
      if (made) {
        const QuantizedMatrix& q = (*made)->made;
        describe(*q.matrix, report);
        report.sqnr_db = q.sqnr_db;
        report.compensated = !(*made)->gain_db.empty();
        report.output_gain_db = (*made)->gain_db;
        const std::string& first = names_.emplace(q.matrix.get(), node.name).first->second;
        if (first != node.name) report.same_as = first;
        node = bit_node(node, *c, q.matrix);
      } else if (made.status().code() == ErrorCode::not_finite) {
        report.reason = made.status().message();  // the other layers need not suffer
      } else {
        return made.status();
      }
    }
    reports.push_back(std::move(report));
    return Status::ok();
  }

  // Equal weights become one matrix: an embedding and the layer behind it that turns it round, or
  // the branches of an If, which have copies of them.
  Result<const Done*> matrix_of(const Candidate& c, const std::string& layer) {
    const std::size_t hash = hash_of(c.view, &pool_);
    const auto [first, last] = done_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
      if (same_matrix(it->second.view, c.view)) return &it->second;
    }
    PBATCH_ASSIGN_OR_RETURN(
        QuantizedMatrix made,
        quantize_matrix(c.view, options_.planes, group_for(options_.group, c.weight->size()),
                        &pool_, options_.outliers));
    Done done{*c.weight, c.view, std::move(made), {}};
    // A code that is not the nearest takes the planes behind the eighth from what they refine.
    const bool refined = options_.planes > kTreePlanes;
    if (options_.row_sums > 0 && !refined && c.reported != std::string_view("Gather")) {
      PBATCH_RETURN_IF_ERROR(balance_sums(&done));
    }
    PBATCH_RETURN_IF_ERROR(compensate(layer, &done));
    return &done_.emplace(hash, std::move(done))->second;
  }

  Status balance_sums(Done* done) {
    PBATCH_ASSIGN_OR_RETURN(done->made.matrix,
                            balance_row_sums(done->view, *done->made.matrix, done->made.sqnr_db,
                                             options_.row_sums, &pool_));
    done->made.sqnr_db = measure_sqnr(*done->made.matrix, done->view, &pool_);
    return Status::ok();
  }

  Status compensate(const std::string& layer, Done* done) {
    if (moments_ == nullptr) return Status::ok();
    PBATCH_ASSIGN_OR_RETURN(const MatrixMoments* const moments, moments_->moments_of(layer));
    if (moments == nullptr) return Status::ok();
    Result<CompensatedMatrix> better =
        compensate_matrix(done->view, *done->made.matrix, *moments, &pool_);
    // Inputs that are all zero say nothing of the matrix.
    if (!better && better.status().code() == ErrorCode::invalid_argument) return Status::ok();
    if (!better) return better.status();
    if (better->matrix == nullptr) return Status::ok();
    done->made.matrix = std::move(better->matrix);
    done->made.sqnr_db = measure_sqnr(*done->made.matrix, done->view, &pool_);
    done->gain_db = std::move(better->gain_db);
    return Status::ok();
  }

  const QuantizeOptions& options_;
  MomentSource* const moments_;
  ThreadPool pool_;
  std::int64_t matrices_ = 0, seen_ = 0;
  MatrixCensus census_;
  std::unordered_multimap<std::size_t, Done> done_;  // by hash of the weights
  std::map<const BitMatrix*, std::string> names_;    // of the first layer that has the matrix
};

}  // namespace

Result<std::vector<LayerReport>> quantize_graph(Graph& graph, const QuantizeOptions& options,
                                                MomentSource* moments) {
  PBATCH_RETURN_IF_ERROR(check_quantization(options.planes, group_for(options.group, 1)));
  PBATCH_RETURN_IF_ERROR(check_options(options));
  GraphQuantizer quantizer(options, moments);
  Graph result = graph;
  PBATCH_RETURN_IF_ERROR(turn_left_constants(result, [&](const Node& node, const Tensor& w) {
    return w.size() >= options.min_elements && !is_excluded(node, options) &&
           reason_of_weights(w.span<float>()).empty();
  }));
  quantizer.count_matrices(result);
  if (Status s = quantizer.quantize(result); !s) return std::move(s).in_file(graph.source_file);
  result.opsets[kPbatchDomain] = kPbatchOpset;
  PBATCH_RETURN_IF_ERROR(remove_unused(result));  // the float weights
  set_floors(result, options.floor_bits);
  visit_nodes(result, [&](const Node& node) {
    const Result<std::int64_t> floor = node.int_attr(kMinWeightBits, 1);
    for (LayerReport& report : quantizer.reports) {
      if (report.name == node.name && floor) report.min_weight_bits = static_cast<int>(*floor);
    }
  });
  graph = std::move(result);
  warn_of_unusual_errors(quantizer.reports);
  return std::move(quantizer.reports);
}

Result<std::vector<LayerReport>> list_candidates(const Graph& graph,
                                                 const QuantizeOptions& options) {
  std::vector<LayerReport> reports;
  Status status;
  visit_graphs(graph, [&](const Graph& g) {
    for (const Node& node : g.nodes) {
      const std::optional<Candidate> c = candidate(g, node);
      if (!c || !status) continue;
      Result<LayerReport> report = report_of(g, node, *c, options);
      if (!report) {
        status = report.status().at_node(node.name);
        continue;
      }
      reports.push_back(*std::move(report));
    }
  });
  PBATCH_RETURN_IF_ERROR(status);
  return reports;
}

}  // namespace pbatch
