#include "cli/tune.h"

#include <fmt/format.h>

#include <cmath>

#include "cli/progress_bar.h"
#include "tools/bench/tune_machine.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

std::string bits_run(const ChangedChoice& change) {
  const int first = change.shape.weight_bits;
  return first == change.last_bits ? std::to_string(first)
                                   : fmt::format("{}-{}", first, change.last_bits);
}

std::string changes_table(const std::vector<ChangedChoice>& changes) {
  Table table({"matrix", "weights", "batch", "activations", "bits", "before", "now", "faster"});
  for (const ChangedChoice& c : changes) {
    table.add({fmt::format("{}x{}", c.shape.rows, c.shape.cols),
               c.shape.network_plane_bytes > 0 ? "cold" : "hot", std::to_string(c.shape.batch),
               std::to_string(c.shape.activation_bits) + "-bit", bits_run(c), c.before, c.after,
               std::isfinite(c.gain) ? fmt::format("{:.2f}x", c.gain) : "?"});
  }
  return changes.empty() ? "no choice of kernel changes\n" : table.to_string();
}

nlohmann::json costs_json(const KernelCosts& costs) {
  nlohmann::json list = nlohmann::json::array();
  for (const BitKernel& kernel : all_kernels()) {
    for (std::size_t m = 0; m < kCostMatrices.size(); ++m) {
      for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
        for (std::size_t b = 0; b < kCostBatches.size(); ++b) {
          const WidthCosts& widths = costs.at(kernel, {m, a, b});
          if (widths == WidthCosts{}) continue;
          nlohmann::json ps = nlohmann::json::array();
          for (const double cost : widths) ps.push_back(cost > 0 ? nlohmann::json(cost) : nullptr);
          list.push_back({{"kernel", kernel.name},
                          {"rows", kCostMatrices[m].rows},
                          {"cols", kCostMatrices[m].cols},
                          {"activation_bits", kCostActivationBits[a]},
                          {"batch", kCostBatches[b]},
                          {"ps_per_mac", ps}});
        }
      }
    }
  }
  return list;
}

nlohmann::json changes_json(const std::vector<ChangedChoice>& changes) {
  nlohmann::json list = nlohmann::json::array();
  for (const ChangedChoice& c : changes) {
    list.push_back({{"rows", c.shape.rows},
                    {"cols", c.shape.cols},
                    {"cold", c.shape.network_plane_bytes > 0},
                    {"batch", c.shape.batch},
                    {"activation_bits", c.shape.activation_bits},
                    {"weight_bits", {c.shape.weight_bits, c.last_bits}},
                    {"before", c.before},
                    {"now", c.after},
                    {"gain", std::isfinite(c.gain) ? nlohmann::json(c.gain) : nullptr}});
  }
  return list;
}

}  // namespace

Status tune(double seconds, const OutputOptions& output) {
  PBATCH_RETURN_IF_ERROR(check_output_files(output, {}, {}));
  PBATCH_ASSIGN_OR_RETURN(const MachineTuner tuner, MachineTuner::create());
  PBATCH_ASSIGN_OR_RETURN(const RunConditions conditions, conditions_here(1));
  TuneOptions options;
  options.seconds = seconds;
  if (seconds <= 0) options.matrices = {0};  // a trial of the command
  const Result<MachineTuner::Tuned> tuned = [&] {
    ProgressBar bar;
    return tuner.tune(options, conditions.date, bar);
  }();
  if (!tuned) return tuned.status();

  nlohmann::json json = json_head(conditions);
  json["file"] = tuner.path();
  json["before"] = tuner.origin_before();
  json["memory"] = nlohmann::json::array();
  std::string memory = "memory:";
  for (const MemoryCost& m : tuned->costs.memory) {
    json["memory"].push_back({{"threads", m.threads}, {"gbps", 1e3 / m.ps_per_byte}});
    memory += fmt::format("{} {} GB/s with {} thread{}", m.threads > 1 ? "," : "",
                          short_number(1e3 / m.ps_per_byte), m.threads, m.threads > 1 ? "s" : "");
  }
  json["costs"] = costs_json(tuned->costs);
  json["changes"] = changes_json(tuned->changes);
  return deliver(output,
                 changes_table(tuned->changes) + memory +
                     "\nbefore: " + printable(tuner.origin_before()) +
                     "; now: " + printable(tuner.path()) + "\n" + conditions_line(conditions),
                 json);
}

}  // namespace pbatch::cli
