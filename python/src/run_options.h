// RunOptions: the precision of a run as entries, as onnxruntime's run options are.
#pragma once

#include <nanobind/nanobind.h>

#include <map>
#include <string>

#include "pbatch/precision.h"

namespace pbatch::python {

struct RunOptions {
  Precision precision;
  std::map<std::string, std::string> entries;
  // Of onnxruntime: kept, without effect.
  int log_severity_level = 2, log_verbosity_level = 0;
  std::string logid;
};

/// Overwrites what the entries say in `precision`.
void apply(const RunOptions& options, Precision* precision);

void bind_run_options(nanobind::module_& m);

}  // namespace pbatch::python
