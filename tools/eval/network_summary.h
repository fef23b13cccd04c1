// What a float network consists of, also one that cannot run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "pbatch/status.h"

namespace pbatch {

struct OperatorCount {
  std::string domain, op_type;  ///< domain "ai.onnx" for ONNX's own
  int count = 0;                ///< of all subgraphs too
  bool runs = true;
};

struct NetworkSummary {
  std::vector<std::string> files;     ///< that it was read from
  bool is_float = true;               ///< false: a pbatch model; all that follows is empty
  std::map<std::string, int> opsets;  ///< by domain
  std::vector<PortInfo> inputs, outputs;
  std::vector<OperatorCount> operators;  ///< by domain and name
  Status problem;                        ///< why it cannot run; ok if it can
  std::string advice;                    ///< what to do next
  std::vector<LayerReport> candidates;   ///< layers that could be quantized, and why some cannot
};

/// Fails for files that cannot be read, not for networks that cannot run.
Result<NetworkSummary> summarize_network(const std::string& path);

}  // namespace pbatch
