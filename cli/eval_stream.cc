// eval --task stream: how far each precision is from float along a stream.
#include <fmt/format.h>

#include "cli/eval_task.h"
#include "tools/eval/tasks/stream.h"
#include "tools/io/array_file.h"
#include "tools/io/port_files.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

class StreamTask final : public EvalTask {
 public:
  explicit StreamTask(const EvalFlags& flags) : flags_(flags) {}

  Status load() override {
    PBATCH_ASSIGN_OR_RETURN(ArrayFile data, read_array(flags_.data.data[0]));
    data_ = std::move(data.tensor);
    for (const auto& [name, file] : flags_.stream.constants) {
      PBATCH_ASSIGN_OR_RETURN(ArrayFile constant, read_array(file));
      constants_.push_back({name, std::move(constant.tensor)});
    }
    return Status::ok();
  }

  Result<TaskReport> measure(const Networks& nets, Progress& progress) override {
    PBATCH_ASSIGN_OR_RETURN(const Stream stream,
                            evaluate_stream(nets.contenders, data_, constants_,
                                            {flags_.data.options.limit, flags_.ports.options,
                                             flags_.data.options.timing},
                                            progress));
    nlohmann::json results = nlohmann::json::array();
    Table table({"weights", "activations", "rel. error", "cosine", "max abs. error",
                 "mean abs. error", "latency", "speed-up", "weight bytes"});
    for (std::size_t i = 0; i < nets.contenders.size(); ++i) {
      const StreamRow& row = stream.rows[i];
      results.push_back(row_json(nets.contenders[i], "rel_error", row.error.rel_error, row.cost));
      results.back().update({{"cosine", row.error.cosine},
                             {"max_abs_error", row.error.max_abs_error},
                             {"mean_abs_error", row.error.mean_abs_error}});
      table.add(table_row(
          nets.contenders[i],
          {fmt::format("{:.5f}", row.error.rel_error), fmt::format("{:.6f}", row.error.cosine),
           fmt::format("{:.5g}", row.error.max_abs_error),
           fmt::format("{:.5g}", row.error.mean_abs_error)},
          row.cost));
    }
    const std::string text =
        table.to_string() +
        fmt::format("{} steps of '{}', '{}' read; latency of one step; states: {}\n", stream.steps,
                    printable(stream.input), printable(stream.output), printable(stream.states));
    return TaskReport{text,
                      {{"data", flags_.data.data[0]},
                       {"steps", stream.steps},
                       {"input", stream.input},
                       {"output", stream.output},
                       {"states", stream.states},
                       {"results", results}}};
  }

 private:
  const EvalFlags& flags_;
  Tensor data_;
  std::vector<NamedTensor> constants_;
};

}  // namespace

std::unique_ptr<EvalTask> make_stream_task(const EvalFlags& flags) {
  return std::make_unique<StreamTask>(flags);
}

}  // namespace pbatch::cli
