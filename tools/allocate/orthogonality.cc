#include "tools/allocate/orthogonality.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "graph/subgraphs.h"
#include "layout/bit_matrix.h"
#include "product/input_observer.h"
#include "quantize/add_products.h"
#include "quantize/dequantize.h"

namespace pbatch {
namespace {

// Numbers of what a layer makes in a run that are kept, at equal distances, the same in all runs.
constexpr std::int64_t kMostFeatures = 16384;

// What the products of a run make, or the part of it that the first run fixes.
class FeatureCollector final : public InputObserver {
 public:
  void begin_run() { now_.clear(); }

  void observe(const BitMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
               const float* x, std::int64_t count, std::int64_t ld) override {
    if (!status_) return;
    const std::int64_t rows = std::min(row_end, matrix.rows) - row_begin;
    std::vector<float>& made = now_[&matrix];
    const auto room = static_cast<std::int64_t>(kMostFeatures - made.size());
    if (rows <= 0 || count <= 0 || room <= 0) return;
    if (std::find(order_.begin(), order_.end(), &matrix) == order_.end()) order_.push_back(&matrix);
    const float* const w = weights_of(matrix);
    if (w == nullptr) return;
    // Whole vectors, as many as there is room for.
    const std::int64_t vectors = std::clamp<std::int64_t>(room / rows, 1, count);
    std::vector<float> y(static_cast<std::size_t>(vectors * rows), 0.0f);
    for (std::int64_t v = 0; v < vectors; ++v) {
      const float* const from = x + v * count / vectors * ld;
      add_products(from, matrix.cols, w + row_begin, matrix.rows, 1, matrix.cols, rows,
                   y.data() + v * rows, rows);
    }
    made.insert(made.end(), y.begin(), y.end());
  }

  Status end_run() {
    for (auto& [matrix, made] : now_) features_[matrix].push_back(std::move(made));
    return status_;
  }

  const std::vector<const BitMatrix*>& order() const { return order_; }
  // Of a matrix; a layer that ran in some runs only made nothing in the others.
  std::vector<std::vector<float>> take(const BitMatrix* matrix) {
    return std::move(features_[matrix]);
  }

 private:
  // [cols][rows] of all planes; null if there is no memory for them.
  const float* weights_of(const BitMatrix& matrix) {
    const auto known = weights_.find(&matrix);
    if (known != weights_.end()) return known->second.data<float>();
    Result<Tensor> made = dequantize(matrix, matrix.planes_available(), /*transposed=*/true);
    if (!made) {
      status_ = made.status();
      return nullptr;
    }
    return weights_.emplace(&matrix, *std::move(made)).first->second.data<float>();
  }

  Status status_;
  std::map<const BitMatrix*, Tensor> weights_;
  std::map<const BitMatrix*, std::vector<float>> now_;
  std::map<const BitMatrix*, std::vector<std::vector<float>>> features_;
  std::vector<const BitMatrix*> order_;
};

using Gram = std::vector<double>;  // [runs][runs]

Gram gram_of(const std::vector<std::vector<float>>& features, std::size_t runs) {
  Gram gram(runs * runs, 0.0);
  for (std::size_t a = 0; a < features.size(); ++a) {
    for (std::size_t b = a; b < features.size(); ++b) {
      double sum = 0;
      const std::size_t size = std::min(features[a].size(), features[b].size());
      for (std::size_t i = 0; i < size; ++i) sum += double(features[a][i]) * features[b][i];
      gram[a * runs + b] = gram[b * runs + a] = sum;
    }
  }
  return gram;
}

double inner(const Gram& a, const Gram& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

std::vector<double> importance_of(const Features& features) {
  std::size_t runs = 0;
  for (const auto& layer : features) runs = std::max(runs, layer.size());
  // |F_i' F_j|^2 is the inner product of the two Gram matrices.
  std::vector<Gram> grams;
  for (const auto& layer : features) {
    Gram gram = gram_of(layer, runs);
    const double norm = std::sqrt(inner(gram, gram));
    if (norm > 0) {
      for (double& g : gram) g /= norm;
    }
    grams.push_back(std::move(gram));
  }
  std::vector<double> gamma(features.size(), 0.0);
  for (std::size_t i = 0; i < grams.size(); ++i) {
    for (std::size_t j = i + 1; j < grams.size(); ++j) {
      const double orthogonality = inner(grams[i], grams[j]);
      gamma[i] += orthogonality;
      gamma[j] += orthogonality;
    }
  }
  std::vector<double> importance(features.size(), 0.0);
  if (gamma.empty()) return importance;
  const double least = *std::min_element(gamma.begin(), gamma.end());
  double behind = 0, greatest = 0;
  for (std::size_t i = gamma.size(); i-- > 0;) {
    behind += std::exp(least - gamma[i]);
    importance[i] = behind / static_cast<double>(gamma.size() - i);
    greatest = std::max(greatest, importance[i]);
  }
  for (double& value : importance) value /= greatest;
  return importance;
}

Result<std::map<std::string, double>> layer_importance(NetworkRunner& runner,
                                                       const InputSets& sets) {
  FeatureCollector collector;
  for (const std::vector<NamedTensor>& inputs : sets) {
    collector.begin_run();
    PBATCH_RETURN_IF_ERROR(runner.run(inputs, &collector).status());
    PBATCH_RETURN_IF_ERROR(collector.end_run());
  }
  Features features;
  for (const BitMatrix* matrix : collector.order()) features.push_back(collector.take(matrix));
  const std::vector<double> values = importance_of(features);
  std::map<const BitMatrix*, double> of_matrix;
  for (std::size_t i = 0; i < values.size(); ++i) of_matrix[collector.order()[i]] = values[i];
  std::map<std::string, double> importance;
  visit_nodes(runner.graph(), [&](const Node& node) {
    if (node.matrix == nullptr) return;
    const auto known = of_matrix.find(node.matrix.get());
    importance[node.name] = known != of_matrix.end()      ? known->second
                            : node.op_type == "BitGather" ? 1.0
                                                          : 0.0;
  });
  return importance;
}

void set_errors_by_importance(const std::map<std::string, double>& importance,
                              std::vector<LayerItem>& items) {
  for (LayerItem& item : items) {
    double most = 0;
    for (const std::string& layer : item.layers) {
      const auto known = importance.find(layer);
      if (known != importance.end()) most = std::max(most, known->second);
    }
    for (LayerChoice& choice : item.choices) {
      choice.squared_error = most * std::exp2(-2.0 * choice.bits.weight_bits);
    }
  }
}

}  // namespace pbatch
