// A cascade: every item at few bits first, and those whose answer is unsure again at more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/export.h"
#include "pbatch/precision.h"
#include "pbatch/session.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// What makes an answer sure. Rows are what is left of the output's last dimension for each item;
/// an item with several rows is as unsure as the most unsure of them.
enum class MarginKind {
  top_two,  ///< the greatest value of a row less the second: classes
  band,     ///< how far values are from `center`: detectors; the answer is the side they are on
  entropy,  ///< less the entropy, in nats, of the softmax of a row: language models
  entropy_of_probabilities,  ///< less the entropy of a row that holds probabilities itself
};

/// The margins of `items` items whose outputs `outputs` holds, in the order of Session::outputs():
/// greater is surer, NaN is unsure. One margin for each item.
using MarginFunction =
    std::function<Result<std::vector<double>>(std::span<const Tensor> outputs, std::int64_t items)>;

struct Margin {
  MarginKind kind = MarginKind::top_two;
  double center = 0;        ///< of `band`
  std::string output;       ///< the output that is looked at; empty: the first
  MarginFunction function;  ///< in place of the margin of `kind`, which still says what an answer
                            ///< is: sides for `band`, else the place of the greatest of each row
};

struct CascadeStage {
  Precision precision;   ///< run as Precision::exact, whatever it says
  double threshold = 0;  ///< an item with a margin above it is answered here; not of the last stage
};

struct CascadeOptions {
  Margin margin;
  /// Which dimension of an input or output counts the items, by name; -1: none, the input is the
  /// same for all. Others: the first. What has no dimensions is the same for all; such an output is
  /// the first stage's.
  std::map<std::string, int> batch_axes;
  std::int64_t batch = 0;  ///< items of one run at most; 0: all, and 64 while calibrating. Networks
                           ///< that fix their batch are run at that
};

/// What one stage did in one call.
struct StageReport {
  std::int64_t items = 0;     ///< that came to it
  std::int64_t answered = 0;  ///< that it answered
  double seconds = 0;         ///< of its runs and margins
};

struct CascadeRun {
  std::vector<Tensor> outputs;      ///< in the order of Session::outputs()
  std::vector<int> stage_of_item;   ///< which stage answered it, from 0
  std::vector<StageReport> stages;  ///< one for each
};

struct CalibrationTarget {
  double agreement = 0.999;  ///< share of all items that get the answer of the last stage, at least
  double confidence = 0.95;  ///< that the thresholds keep it on items like those given
};

struct StageCalibration {
  double threshold = 0;
  std::int64_t above = 0;     ///< items with a margin above it, of all
  std::int64_t disagree = 0;  ///< of these, those with another answer than the last stage's
  double disagree_bound = 0;  ///< upper bound of their share of all items (Clopper-Pearson)
  std::int64_t answered = 0;  ///< items that the cascade answers here
};

struct CascadeCalibration {
  std::int64_t items = 0;
  std::vector<StageCalibration> stages;  ///< all but the last
  double agreement = 0;                  ///< of the cascade with its last stage on these items
  double agreement_bound = 0;  ///< 1 less the bounds of the stages, which is the target at least
};

/// Answers are those of the stage that gives them, bit for bit as a run of the item alone at that
/// precision, with Precision::exact: they depend neither on the batch nor on its other items.
/// That needs a network that treats the items of a batch apart.
class PBATCH_API Cascade {
 public:
  /// `session` must stay where it is for as long as the cascade lives. Two stages or more, narrow
  /// ones first. invalid_argument for fewer or another order, not_found for a port that the network
  /// has not, shape_mismatch for a network that fixes the batches of its inputs differently.
  /// Whether the bits are there shows when a stage runs.
  static Result<Cascade> create(const Session& session, std::vector<CascadeStage> stages,
                                CascadeOptions options = {});

  const std::vector<CascadeStage>& stages() const { return stages_; }

  /// The answers for all items of `inputs`. Thread-safe. shape_mismatch where inputs have different
  /// numbers of items, or an output does not have as many or other shapes at another stage;
  /// else errors as of Session::run, and of the margin's function.
  Result<CascadeRun> run(std::span<const NamedTensor> inputs) const;

  /// Sets the thresholds by these inputs, which need no labels: every item is run at every stage,
  /// and a stage answers as many as can be while its share of the target stays kept. Each of k
  /// thresholds is given a k-th part of the allowed disagreement and of the allowed chance of being
  /// wrong; it is the least one above which the Clopper-Pearson upper bound of the share of items
  /// with another answer than the last stage's keeps that part. That share only grows as a
  /// threshold falls, so no correction for having tried many is needed (risk-controlling sets:
  /// Bates et al., J. ACM 68(6), 2021). What holds for items drawn as these were holds for no
  /// others. invalid_argument for a target outside of (0, 1), and where there are too few items for
  /// it even if all agree: the message says how many it takes. Not while another thread is in
  /// run().
  Result<CascadeCalibration> calibrate(std::span<const NamedTensor> inputs,
                                       const CalibrationTarget& target = {});

 private:
  Cascade(const Session& session, std::vector<CascadeStage> stages, CascadeOptions options)
      : session_(&session), stages_(std::move(stages)), options_(std::move(options)) {}

  const Session* session_;
  std::vector<CascadeStage> stages_;
  CascadeOptions options_;
  std::size_t output_ = 0;        // the one that the margin looks at
  std::int64_t fixed_batch_ = 0;  // as StageRunner has it
};

/// Items that calibrate() needs at least, for a cascade of `stages` stages: fewer are too few even
/// if all agree. Precondition: the target is within (0, 1), and there are two stages or more.
PBATCH_API std::int64_t least_calibration_items(const CalibrationTarget& target, int stages);

}  // namespace pbatch
