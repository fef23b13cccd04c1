// eval --task seq2seq: greedy decoding against references.
#include <fmt/format.h>

#include "cli/eval_task.h"
#include "tools/eval/tasks/seq2seq.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

class Seq2SeqTask final : public EvalTask {
 public:
  explicit Seq2SeqTask(const EvalFlags& flags) : flags_(flags) {}

  LayerNames layer_names() const override { return LayerNames::shared; }

  Status load() override {
    PBATCH_ASSIGN_OR_RETURN(pairs_, read_sequence_pairs(flags_.data.data[0]));
    const auto limit = static_cast<std::size_t>(flags_.data.options.limit);
    if (limit > 0 && limit < pairs_.size()) pairs_.resize(limit);
    return Status::ok();
  }

  Result<TaskReport> measure(const Networks& nets, Progress& progress) override {
    const Seq2SeqFlags& f = flags_.seq2seq;
    PBATCH_ASSIGN_OR_RETURN(const auto decoders,
                            open_beside(nets, flags_.network, f.decoder, f.decoder_float));
    PBATCH_ASSIGN_OR_RETURN(
        const Seq2Seq result,
        evaluate_seq2seq(nets.contenders, decoders->contenders, pairs_,
                         {f.start, f.stop, f.max_length, flags_.sequence.first_axis,
                          flags_.ports.options, f.feeds, flags_.data.options.timing},
                         progress));
    nlohmann::json results = nlohmann::json::array();
    Table table({"weights", "activations", "token error %", "sequence error %", "latency",
                 "speed-up", "weight bytes"});
    for (std::size_t i = 0; i < nets.contenders.size(); ++i) {
      const Seq2SeqRow& row = result.rows[i];
      results.push_back(row_json(nets.contenders[i], "token_error", row.token_error, row.cost));
      results.back()["sequence_error"] = row.sequence_error;
      table.add(table_row(nets.contenders[i],
                          {fmt::format("{:.2f}", 100 * row.token_error),
                           fmt::format("{:.2f}", 100 * row.sequence_error)},
                          row.cost));
    }
    const std::string text =
        table.to_string() +
        fmt::format("{} pairs; latency of a whole sequence; source {}; feeds: {}; states: {}\n",
                    pairs_.size(), result.layout, printable(result.feeds),
                    printable(result.states)) +
        "decoder " + float_side_line(*decoders);
    return TaskReport{text,
                      {{"data", flags_.data.data[0]},
                       {"decoder", f.decoder},
                       {"decoder_float_source", decoders->float_source},
                       {"pairs", pairs_.size()},
                       {"start", f.start},
                       {"stop", f.stop},
                       {"max_length", f.max_length},
                       {"layout", result.layout},
                       {"feeds", result.feeds},
                       {"states", result.states},
                       {"results", results}}};
  }

 private:
  const EvalFlags& flags_;
  std::vector<SequencePair> pairs_;
};

}  // namespace

std::unique_ptr<EvalTask> make_seq2seq_task(const EvalFlags& flags) {
  return std::make_unique<Seq2SeqTask>(flags);
}

}  // namespace pbatch::cli
