// Statistics of a network's products, made when they are asked for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "calibrate/made_up_inputs.h"
#include "calibrate/network_runner.h"
#include "calibrate/range_collector.h"
#include "pbatch/quantize.h"
#include "quantize/input_moments.h"

namespace pbatch {

class Calibration final : public MomentSource {
 public:
  /// Of the float network `graph`, simplified, as quantize_graph() will see it with these options:
  /// the scheme's samples, or what the network's kind suggests. unsupported, with the reason, where
  /// the scheme is automatic and nothing is known to suit the network. `pool` must outlive it.
  static Result<std::unique_ptr<Calibration>> create(const Graph& graph,
                                                     const QuantizeOptions& options,
                                                     ThreadPool& pool);

  Result<const MatrixMoments*> moments_of(const std::string& layer) override;

  Statistics statistics() const { return statistics_; }

  /// Gives every linear layer and convolution of `graph`, by their names, what their inputs were
  /// seen to be (integer arithmetic's kInputRange). Not of noise, which real inputs are not like.
  Status add_input_ranges(Graph& graph);

 private:
  Calibration(NetworkRunner runner, ThreadPool& pool) : runner_(std::move(runner)), pool_(pool) {}
  Status run_pass(const BitMatrix* matrix);
  Status collect(bool check);

  NetworkRunner runner_;
  ThreadPool& pool_;
  NetworkKind kind_;
  Statistics statistics_ = Statistics::noise;
  std::vector<Sample> samples_;
  std::map<std::string, const BitMatrix*> matrix_of_;  // of each layer
  std::vector<const BitMatrix*> matrices_;             // in the order of the network
  std::map<const BitMatrix*, MatrixMoments> now_;
  RangeCollector ranges_;
  bool fed_ = false;
};

}  // namespace pbatch
