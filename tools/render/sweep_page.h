// The page that `pbatch sweep` writes: one file, no scripts, nothing loaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/machine.h"
#include "tools/eval/compare.h"

namespace pbatch {

struct SweepRow {
  int weight_bits = 32, activation_bits = 32;
  double value = 0;  ///< of the metric
  double latency_us = 0, speedup_vs_f32 = 1;
  std::int64_t weight_bytes = 0;
  std::string baseline;    ///< name of what is not ours, e.g. "onednn_int8"; else empty
  std::string allocation;  ///< name of what gave each layer a width of its own; else empty
};

enum class SweepMetric { accuracy, mse, rel_error };

struct SweepPage {
  std::string file, float_source;
  std::string input_note;  ///< what the network was fed
  SweepMetric metric = SweepMetric::accuracy;
  std::vector<SweepRow> rows;     ///< the float network first
  std::vector<int> layer_widths;  ///< columns of `layers`
  std::vector<LayerErrors> layers;
  RunConditions conditions;
};

std::string sweep_page_html(const SweepPage& page);

}  // namespace pbatch
