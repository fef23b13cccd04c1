// eval --task lm: the perplexity of a text.
#include <fmt/format.h>

#include "cli/eval_task.h"
#include "tools/eval/tasks/lm.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

class LmTask final : public EvalTask {
 public:
  explicit LmTask(const EvalFlags& flags) : flags_(flags) {}

  Status load() override {
    PBATCH_ASSIGN_OR_RETURN(data_,
                            read_token_streams(flags_.data.data[0], flags_.sequence.streams));
    data_.limit(flags_.data.options.limit);
    return Status::ok();
  }

  Result<TaskReport> measure(const Networks& nets, Progress& progress) override {
    PBATCH_ASSIGN_OR_RETURN(
        const LanguageModel lm,
        evaluate_lm(nets.contenders, data_,
                    {flags_.sequence.warmup, flags_.sequence.steps, flags_.sequence.first_axis,
                     flags_.ports.options, flags_.data.options.timing},
                    progress));
    nlohmann::json results = nlohmann::json::array();
    Table table({"weights", "activations", "perplexity", "bits a token", "latency", "speed-up",
                 "weight bytes"});
    for (std::size_t i = 0; i < nets.contenders.size(); ++i) {
      const LmRow& row = lm.rows[i];
      results.push_back(row_json(nets.contenders[i], "perplexity", row.perplexity, row.cost));
      results.back()["bits_per_token"] = row.bits_per_token;
      table.add(table_row(
          nets.contenders[i],
          {fmt::format("{:.4f}", row.perplexity), fmt::format("{:.5f}", row.bits_per_token)},
          row.cost));
    }
    const std::string text =
        table.to_string() +
        fmt::format(
            "{} tokens of {} in {} streams, {} at a time, {} steps a run; latency of one "
            "token; {}; states: {}\n",
            lm.tokens, lm.vocabulary, lm.streams, lm.batch, lm.steps, lm.layout,
            printable(lm.states));
    return TaskReport{text,
                      {{"data", flags_.data.data[0]},
                       {"tokens", lm.tokens},
                       {"vocabulary", lm.vocabulary},
                       {"streams", lm.streams},
                       {"batch", lm.batch},
                       {"steps", lm.steps},
                       {"warmup", flags_.sequence.warmup},
                       {"layout", lm.layout},
                       {"states", lm.states},
                       {"output", lm.probabilities ? "probabilities" : "logits"},
                       {"results", results}}};
  }

 private:
  const EvalFlags& flags_;
  TokenStreams data_;
};

}  // namespace

std::unique_ptr<EvalTask> make_lm_task(const EvalFlags& flags) {
  return std::make_unique<LmTask>(flags);
}

}  // namespace pbatch::cli
