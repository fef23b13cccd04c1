// eval --cascade: narrow runs first, wide ones for what is unsure.
#pragma once

#include <string>
#include <vector>

#include "cli/bits.h"
#include "cli/json.h"
#include "cli/measure.h"
#include "cli/options.h"
#include "tools/eval/measure_cascade.h"

namespace pbatch::cli {

/// --cascade, --margin, --agreement, --confidence, --calibration, --calibration-items.
struct CascadeFlags {
  CLI::Option* option = nullptr;  ///< --cascade
  std::string stages_text, margin_text = "top-two", agreement_text = "99.9%",
                           confidence_text = "95%";
  std::vector<std::string> calibration;  ///< [NAME=]FILE
  CascadeRequest request;

  void add_to(CLI::App& command);
  bool given() const { return option->count() > 0; }
  /// Reads the texts; throws CLI::ValidationError.
  void parse(const std::vector<int>& activation_bits, const LayerOverrides& overrides);
};

std::string cascade_text(const CascadeMeasure& measure, const CascadeFlags& flags);
nlohmann::json cascade_json(const CascadeMeasure& measure, const CascadeFlags& flags);

}  // namespace pbatch::cli
