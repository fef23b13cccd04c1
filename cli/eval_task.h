// What `eval` measures: one file per task.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/eval_cascade.h"
#include "cli/json.h"
#include "cli/measure.h"
#include "cli/networks.h"
#include "cli/options.h"
#include "tools/bench/progress.h"
#include "tools/eval/tasks/lm.h"

namespace pbatch::cli {

/// --input, --output, --state: ports of a network that runs step by step.
struct StepFlags {
  StepPortOptions options;
  std::vector<std::string> state_texts;
};

/// --layout, --streams, --steps, --warmup: how tokens are read.
struct SequenceFlags {
  std::string layout;
  std::int64_t streams = 0, steps = 0, warmup = 0;
  FirstAxis first_axis = FirstAxis::unknown;  ///< after parse()
};

/// --decoder, --decoder-float, --feed, --start, --stop, --max-length.
struct Seq2SeqFlags {
  std::string decoder, decoder_float;
  std::vector<std::string> feed_texts;
  std::vector<std::pair<std::string, std::string>> feeds;  ///< after parse()
  std::int64_t start = 0, stop = 0, max_length = 64;
};

/// --env, --episodes, --seed.
struct ControlFlags {
  std::string environment;
  std::int64_t episodes = 100;
  std::uint64_t seed = 0;
};

/// --constant.
struct StreamFlags {
  std::vector<std::string> constant_texts;
  std::vector<std::pair<std::string, std::string>> constants;  ///< (input, file) after parse()
};

/// Every option of `eval`; those of other tasks than the chosen one are refused.
struct EvalFlags {
  NetworkFlags network;
  DataFlags data;
  std::string task = "classify";
  StepFlags ports;
  SequenceFlags sequence;
  Seq2SeqFlags seq2seq;
  ControlFlags control;
  StreamFlags stream;
  CascadeFlags cascade;

  void add_to(CLI::App& command);
  /// Throws CLI::ValidationError.
  void parse();
  std::vector<std::string> sources() const;  ///< files that the task reads, as they are named

 private:
  struct TaskOption {
    CLI::Option* option;
    std::vector<std::string> tasks;
    bool required = false;  ///< of each of those tasks
  };
  void add_data_options(CLI::App& command);
  void add_step_options(CLI::App& command);
  void add_sequence_options(CLI::App& command);
  void add_seq2seq_options(CLI::App& command);
  void add_control_options(CLI::App& command);
  void add_stream_options(CLI::App& command);
  std::vector<TaskOption> options_;
};

/// The table, and the keys beside those that all tasks share; `results` is one of them.
struct TaskReport {
  std::string text;
  nlohmann::json json;
};

class EvalTask {
 public:
  virtual ~EvalTask() = default;
  /// Reads the data: called before networks are loaded, so that a wrong path fails at once.
  virtual Status load() { return Status::ok(); }
  /// Whether --layer may name layers of a network that the task opens beside the first.
  virtual LayerNames layer_names() const { return LayerNames::own; }
  virtual Result<TaskReport> measure(const Networks& nets, Progress& progress) = 0;
};

/// The task that `flags` names; keep them alive.
std::unique_ptr<EvalTask> make_task(const EvalFlags& flags);
std::unique_ptr<EvalTask> make_classify_task(const EvalFlags& flags);
std::unique_ptr<EvalTask> make_lm_task(const EvalFlags& flags);
std::unique_ptr<EvalTask> make_seq2seq_task(const EvalFlags& flags);
std::unique_ptr<EvalTask> make_control_task(const EvalFlags& flags);
std::unique_ptr<EvalTask> make_stream_task(const EvalFlags& flags);

}  // namespace pbatch::cli
