// SessionOptions: the library's, and the names of onnxruntime's.
#pragma once

#include <nanobind/nanobind.h>

#include <map>
#include <string>

#include "pbatch/session.h"

namespace pbatch::python {

struct PySessionOptions {
  SessionOptions native;
  std::map<std::string, std::string> entries;
  // Of onnxruntime: kept for programs that set them, without effect.
  int inter_op_num_threads = 0, execution_mode = 0, graph_optimization_level = 99;
  int log_severity_level = 2, log_verbosity_level = 0;
  std::string logid;
  bool enable_cpu_mem_arena = true, enable_mem_pattern = true, enable_mem_reuse = true;
  bool use_deterministic_compute = false;
};

/// "cpu", "cuda", "cuda:1" or "auto". Raises for anything else.
Device read_device(const std::string& text);
std::string device_text(const Device& device);

void bind_session_options(nanobind::module_& m);

}  // namespace pbatch::python
