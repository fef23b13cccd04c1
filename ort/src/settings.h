// What a session and a run say about precision and quantization.
#pragma once

#include <string>

#include "onnxruntime.h"
#include "pbatch/precision.h"
#include "pbatch/quantize.h"
#include "pbatch/status.h"

namespace pbatch::ort {

struct Settings {
  Precision precision;       ///< of runs that say nothing else; exact unless switched off
  QuantizeOptions quantize;  ///< of a float network: plain codes
  int threads = 0;           ///< at work on one node, the calling one included; 0: one per CPU
  bool connect = true;       ///< operators between layers run here too, where the library has them
  std::string cache;         ///< folder for quantized groups of nodes; empty: none
};

/// Provider options (bits, abits, layers, exact, planes, group, min_elements, exclude, floor,
/// threads, connect, cache) or session config entries of the same names behind "pbatch."; the
/// former go first. invalid_argument, naming the option, for a value that is none.
Result<Settings> read_settings(const OrtSessionOptions* options);

/// `base` as changed by the run's config entries pbatch.bits, pbatch.abits, pbatch.layers and
/// pbatch.exact.
Result<Precision> read_run_precision(const OrtRunOptions* options, const Precision& base);

}  // namespace pbatch::ort
