// Accuracy of a network at several precisions on labelled data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "feed/feed.h"
#include "tools/eval/contender.h"
#include "tools/eval/metrics.h"

namespace pbatch {

/// Items and labels as their files hold them.
struct Dataset {
  std::vector<InputData> data;  ///< one for each of the network's inputs
  Tensor labels;
};

struct EvalOptions {
  std::int64_t batch = 0;  ///< items a run when accuracy is measured; 0: as many as is good
  std::int64_t limit = 0;  ///< first items only; 0: all
  std::string output;      ///< the output that is scored; empty: the first
  TimingOptions timing;
};

struct EvalRow {
  double value = 0;
  Cost cost;
};

struct Evaluation {
  Metric metric = Metric::accuracy;
  std::int64_t items = 0, batch = 1;  ///< items measured; items a run
  std::string input_note;             ///< how items became inputs, e.g. "pixels/255, ..."
  std::vector<EvalRow> rows;          ///< one per contender
  std::vector<NamedTensor> sample;    ///< inputs of the first run, for further measurements
};

/// Measures every contender on the same items; the first is the float network. Latency is of
/// one item at a time and timed apart from accuracy, which may use batches
/// where the network takes them and gives the same answer.
Result<Evaluation> evaluate(std::span<const Contender> contenders, const Dataset& dataset,
                            const EvalOptions& options, Progress& progress);

}  // namespace pbatch
