// From a float ONNX network to one model file for every precision.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pbatch/export.h"
#include "pbatch/status.h"

namespace pbatch {

/// QuantizeOptions::group: groups of 32 for matrices of up to 2^18 weights, of 64 for larger ones.
inline constexpr int kAutoGroup = -1;

struct QuantizeOptions {
  int planes = 8;                     ///< bit-layers stored per matrix, 1 to 16
  int group = kAutoGroup;             ///< columns per scale: 32, 64, 128, 0 for whole rows, kAutoGroup
  std::int64_t min_elements = 4096;   ///< smaller matrices stay float
  std::vector<std::string> exclude;   ///< node names that stay float; '*' matches any run of characters
  int threads = 1;
};

/// What became of one candidate matrix.
struct LayerReport {
  std::string name;                ///< the node's name
  std::string op_type;             ///< MatMul, Conv, Recurrent or Gather
  std::int64_t rows = 0, cols = 0;
  bool quantized = false;
  std::string reason;              ///< why it stayed float; empty if quantized
  int planes = 0;
  std::vector<double> sqnr_db;     ///< signal to quantization noise at width i + 1, decibels
  std::int64_t plane_bytes = 0;    ///< bytes of one plane
  std::int64_t scale_bytes = 0;    ///< bytes of all scales
  std::int64_t float_bytes = 0;    ///< what the float matrix took, as float32
  std::string warning;             ///< what to do about an unusual error; empty if it has none
  std::string same_as;             ///< a layer before it that has the same matrix; else empty
};

struct QuantizeReport {
  std::vector<LayerReport> layers;
  std::string model_path, data_path;
  std::vector<std::string> source_files;   ///< what was read: the network and its external data
  std::int64_t model_bytes = 0, data_bytes = 0, float_bytes = 0;
};

/// Reads the float network `onnx_path` and writes `out_path` (must end in
/// .onnx) and, beside it, the same name with .safetensors. Both appear whole or
/// not at all: an error leaves nothing behind and an existing pair as it was.
/// invalid_argument if either is a file that the network is read from, itself or by a link.
/// Needs no data and retrains nothing. Thread-safe for different outputs.
PBATCH_API Result<QuantizeReport> quantize_file(const std::string& onnx_path,
                                                const std::string& out_path,
                                                const QuantizeOptions& options);

}  // namespace pbatch
