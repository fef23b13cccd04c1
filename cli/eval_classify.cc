// eval --task classify: accuracy, or squared error, on labelled items.
#include "cli/eval_task.h"

namespace pbatch::cli {
namespace {

class ClassifyTask final : public EvalTask {
 public:
  explicit ClassifyTask(const EvalFlags& flags) : flags_(flags) {}

  Status load() override {
    PBATCH_ASSIGN_OR_RETURN(dataset_, flags_.data.load());
    PBATCH_ASSIGN_OR_RETURN(calibration_, flags_.data.load_items(flags_.cascade.calibration));
    return Status::ok();
  }

  Result<TaskReport> measure(const Networks& nets, Progress& progress) override {
    EvalOptions options = flags_.data.options;
    options.output = flags_.ports.options.output;
    PBATCH_ASSIGN_OR_RETURN(const Evaluation e,
                            evaluate(nets.contenders, dataset_, options, progress));
    const auto& data = flags_.data.data;
    nlohmann::json results = nlohmann::json::array();
    for (std::size_t i = 0; i < nets.contenders.size(); ++i) {
      results.push_back(eval_row_json(nets.contenders[i], e, i));
    }
    TaskReport report{eval_table(nets, e),
                      {{"data", data.size() == 1 ? nlohmann::json(data[0]) : nlohmann::json(data)},
                       {"labels", flags_.data.labels},
                       {"items", e.items},
                       {"batch", e.batch},
                       {"results", results}}};
    if (flags_.cascade.given()) {
      CascadeRequest request = flags_.cascade.request;
      request.calibration = calibration_;
      PBATCH_ASSIGN_OR_RETURN(
          const CascadeMeasure cascade,
          measure_cascade(*nets.quantized, request, dataset_, options, progress));
      report.text += cascade_text(cascade, flags_.cascade);
      report.json["cascade"] = cascade_json(cascade, flags_.cascade);
    }
    return report;
  }

 private:
  const EvalFlags& flags_;
  Dataset dataset_;
  std::vector<InputData> calibration_;
};

}  // namespace

std::unique_ptr<EvalTask> make_classify_task(const EvalFlags& flags) {
  return std::make_unique<ClassifyTask>(flags);
}

}  // namespace pbatch::cli
