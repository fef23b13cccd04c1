#include "cli/eval_cascade.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "cli/quantities.h"
#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

Margin parse_margin(const std::string& text) {
  Margin margin;
  if (text == "top-two") return margin;
  if (text == "entropy") {
    margin.kind = MarginKind::entropy;
    return margin;
  }
  if (text == "entropy-of-probabilities") {
    margin.kind = MarginKind::entropy_of_probabilities;
    return margin;
  }
  if (text.rfind("band=", 0) == 0) {
    char* end = nullptr;
    margin.kind = MarginKind::band;
    margin.center = std::strtod(text.c_str() + 5, &end);
    if (end != text.c_str() + 5 && *end == '\0' && std::isfinite(margin.center)) return margin;
  }
  throw CLI::ValidationError("--margin", "'" + text +
                                             "' is not top-two, entropy, entropy-of-probabilities "
                                             "or band=CENTER");
}

double parse_part(const std::string& text, const std::string& option) {
  const double share = parse_share(text, option);
  if (share < 1) return share;
  throw CLI::ValidationError(option, "'" + text + "' is not below 1");
}

// JSON has no infinity.
nlohmann::json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

std::string threshold_text(const CascadeMeasure& m, std::size_t stage) {
  if (stage + 1 == m.stages.size()) return "-";
  const double threshold = m.stages[stage].threshold;
  return std::isfinite(threshold) ? short_number(threshold) : "none";
}

}  // namespace

void CascadeFlags::add_to(CLI::App& command) {
  option = command
               .add_option("--cascade", stages_text,
                           "Also a cascade: weight bits of its stages, narrow ones first, e.g. 2,8")
               ->type_name("W,W");
  command
      .add_option("--margin", margin_text,
                  "What makes an answer sure: top-two, band=CENTER, entropy or "
                  "entropy-of-probabilities")
      ->needs(option)
      ->capture_default_str();
  command
      .add_option("--agreement", agreement_text,
                  "Share of items that shall get the last stage's answer")
      ->needs(option)
      ->capture_default_str();
  command.add_option("--confidence", confidence_text, "With which confidence they shall")
      ->needs(option)
      ->capture_default_str();
  CLI::Option* files =
      command
          .add_option("--calibration", calibration,
                      "Items that the thresholds are found by, other ones than --data: as --data, "
                      "without labels")
          ->needs(option)
          ->type_name("[NAME=]FILE")
          ->allow_extra_args(false);
  option->needs(files);
  command.add_option("--calibration-items", request.calibration_items, "Only the first N of these")
      ->needs(option)
      ->check(CLI::PositiveNumber)
      ->type_name("N");
}

void CascadeFlags::parse(const std::vector<int>& activation_bits, const LayerOverrides& overrides) {
  for (const int bits : parse_weight_bits(stages_text, "--cascade")) {
    CascadeStage stage;
    stage.precision = Precision::bits(bits, activation_bits.front());
    stage.precision.layers = overrides.layers;
    request.stages.push_back(std::move(stage));
  }
  if (request.stages.size() < 2) {
    throw CLI::ValidationError("--cascade",
                               "'" + stages_text + "' is no list of two or more widths");
  }
  request.margin = parse_margin(margin_text);
  request.target.agreement = parse_part(agreement_text, "--agreement");
  request.target.confidence = parse_part(confidence_text, "--confidence");
}

std::string cascade_text(const CascadeMeasure& m, const CascadeFlags& flags) {
  const double items = static_cast<double>(m.timed_items);
  Table table({"cascade", "threshold", "came", "answered", "time of an item"});
  for (std::size_t s = 0; s < m.timed.size(); ++s) {
    const StageReport& stage = m.timed[s];
    const double came = static_cast<double>(stage.items);
    table.add({width_name(m.stages[s].precision), threshold_text(m, s),
               fmt::format("{:.2f} %", 100 * came / items),
               fmt::format("{:.2f} %", 100 * static_cast<double>(stage.answered) / items),
               came > 0 ? human_time(1e6 * stage.seconds / came) : "-"});
  }
  const bool percent = m.metric == Metric::accuracy;
  const auto value = [&](double v) {
    return percent ? fmt::format("{:.2f} %", 100 * v) : short_number(v);
  };
  return table.to_string() +
         fmt::format(
             "{} margin, thresholds by {} items: agreement {:.3f} % there, {:.3f} % at least with "
             "confidence {}\n",
             flags.margin_text, m.calibration.items, 100 * m.calibration.agreement,
             100 * m.calibration.agreement_bound, flags.confidence_text) +
         fmt::format("agreement {:.3f} % on {} items; {} {}, the last stage {}\n",
                     100 * m.agreement, m.items, metric_name(m.metric), value(m.value),
                     value(m.last_stage_value)) +
         fmt::format("mean time of an item {}, {:.1f} % of {} of the last stage alone ({} items)\n",
                     human_time(m.mean_us), 100 * m.time_ratio(), human_time(m.last_stage_mean_us),
                     m.timed_items);
}

nlohmann::json cascade_json(const CascadeMeasure& m, const CascadeFlags& flags) {
  nlohmann::json stages = nlohmann::json::array();
  for (std::size_t s = 0; s < m.timed.size(); ++s) {
    const StageReport& timed = m.timed[s];
    nlohmann::json stage{{"weight_bits", m.stages[s].precision.all.weight_bits},
                         {"activation_bits", m.stages[s].precision.all.activation_bits},
                         {"items", timed.items},
                         {"answered", timed.answered},
                         {"seconds", timed.seconds}};
    if (s < m.calibration.stages.size()) {
      const StageCalibration& found = m.calibration.stages[s];
      stage["threshold"] = number_or_null(found.threshold);
      stage["calibration"] = {{"above", found.above},
                              {"answered", found.answered},
                              {"disagree", found.disagree},
                              {"disagree_bound", found.disagree_bound}};
    }
    stages.push_back(std::move(stage));
  }
  return {{"stages", stages},
          {"margin", flags.margin_text},
          {"target_agreement", flags.request.target.agreement},
          {"confidence", flags.request.target.confidence},
          {"calibration_items", m.calibration.items},
          {"calibration_agreement", m.calibration.agreement},
          {"agreement_bound", m.calibration.agreement_bound},
          {"items", m.items},
          {"agreement", m.agreement},
          {"metric", metric_name(m.metric)},
          {"value", m.value},
          {"last_stage_value", m.last_stage_value},
          {"timed_items", m.timed_items},
          {"mean_us", m.mean_us},
          {"last_stage_mean_us", m.last_stage_mean_us},
          {"time_ratio", m.time_ratio()}};
}

}  // namespace pbatch::cli
