// From a float ONNX network to one model file for every precision.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pbatch/export.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// QuantizeOptions::group: groups of 32 for matrices of up to 2^18 weights, of 64 for larger ones.
inline constexpr int kAutoGroup = -1;

/// How weights become codes: automatic, plain or compensated, as quantize_schemes.inc says. Size,
/// speed and file format are the same.
enum class Scheme {
#define PBATCH_QUANTIZE_SCHEME(name, c_name, number, text) name = number,
#include "pbatch/quantize_schemes.inc"
};
/// "auto", "plain", "compensated". Thread-safe.
PBATCH_API std::vector<std::string> scheme_names();
/// The scheme of that name; invalid_argument for another, with the names that there are.
/// Thread-safe.
PBATCH_API Result<Scheme> parse_scheme(std::string_view name);

/// Inputs of the network to take statistics of. No labels are needed.
struct Sample {
  std::string input;    ///< its name; empty: the only one, or the one that is no state
  Tensor data;          ///< the first dimension counts the items
  bool pixels = false;  ///< u8 pixels, which a float input takes divided by 255
};

/// What the numbers of an input can be.
struct InputRange {
  std::string input;
  double least = 0, greatest = 0;
};

struct QuantizeOptions {
  int planes = 8;          ///< bit-layers stored per matrix, 1 to 16
  int group = kAutoGroup;  ///< columns per scale: 32, 64, 128, 0 for whole rows, kAutoGroup
  std::int64_t min_elements = 4096;  ///< smaller matrices stay float
  /// Names of nodes that stay float; '*' matches any characters.
  std::vector<std::string> exclude;
  int threads = 1;
  /// What runs read at least of matrices where planes cost next to nothing: tables, of which a run
  /// reads a few rows; matrices of at most 32 columns; output layers of at most a tenth of all
  /// weights (LayerInfo::min_weight_bits). 1: no layer is special.
  int floor_bits = 8;
  /// The share of a matrix's weights, 0 to 0.01, that may be kept apart from its codes, as floats,
  /// because steps that hold them are too coarse for the others: only in matrices with heavy tails,
  /// where it pays (docs/bit-layers.md, "Outliers"). 0: none, which GPUs need. 0.001 is
  /// enough for networks with few large weights.
  double outliers = 0;
  /// Inputs of products are taken to have a mean whose square is this share of their variance, in
  /// every column alike, 0 to 1: codes keep the sums of a row's errors small (docs/bit-layers.md,
  /// "Sums of errors"). 0: each weight by itself.
  double row_sums = 0.03;
  Scheme scheme = Scheme::automatic;  ///< Session::quantize_in_memory takes automatic for plain
  std::vector<Sample> samples;        ///< replace self-made statistics and improve on them
  /// For integer arithmetic, beside what the samples show (docs/integer.md): kept in the model.
  std::vector<InputRange> input_ranges;
  /// Told how far the work is: what is done now, steps done, steps in all. From the calling thread.
  /// Must not throw.
  std::function<void(const std::string& what, std::int64_t done, std::int64_t total)> progress;
};

/// What became of one candidate matrix, rows x cols. Sizes are bytes.
struct LayerReport {
  std::string name;     ///< the node's name
  std::string op_type;  ///< MatMul, Conv, Recurrent or Gather
  std::int64_t rows = 0, cols = 0;
  bool quantized = false;
  std::string reason;  ///< why it stayed float; empty if quantized
  int planes = 0;
  std::vector<double> sqnr_db;   ///< signal to quantization noise at width i + 1, decibels
  std::int64_t plane_bytes = 0;  ///< bytes of one plane
  std::int64_t scale_bytes = 0;  ///< bytes of all scales and outliers
  std::int64_t outliers = 0;     ///< weights that are kept apart from the codes
  std::int64_t float_bytes = 0;  ///< what the float matrix took, as float32
  std::string warning;           ///< what to do about an unusual error; empty if it has none
  std::string same_as;           ///< a layer before it that has the same matrix; else empty
  bool compensated = false;      ///< its codes make up for each other's errors
  /// By how much the error of the outputs is below that of plain codes at width i + 1, decibels, on
  /// inputs that the codes were not fitted to; empty unless compensated.
  std::vector<double> output_gain_db;
  int min_weight_bits = 1;  ///< as LayerInfo has it
};

struct QuantizeReport {
  std::vector<LayerReport> layers;        ///< all candidates, in the order of the network
  std::string model_path, data_path;      ///< the two files written
  std::vector<std::string> source_files;  ///< what was read: the network and its external data
  std::int64_t model_bytes = 0, data_bytes = 0;  ///< of the two files
  std::int64_t float_bytes = 0;                  ///< of the candidates before, as float32
  /// What compensated codes were fitted to, such as "its own text"; or empty.
  std::string statistics;
  std::string plain_reason;  ///< why the automatic scheme was the plain one; or empty
};

/// Reads the float network `onnx_path` and writes `out_path` (must end in
/// .onnx) and, beside it, the same name with .safetensors. Both appear whole or
/// not at all: an error leaves nothing behind and an existing pair as it was.
/// invalid_argument if either is a file that the network is read from, itself or by a link.
/// Needs no data and retrains nothing. The same input gives the same files. Thread-safe for
/// different outputs. Other errors: invalid_argument for options out of their range, a pbatch model
/// and samples that do not fit; not_found, io, malformed and unsupported for the network, as of
/// Session::load; not_finite for a matrix with a NaN or an infinity; out_of_memory.
PBATCH_API Result<QuantizeReport> quantize_file(const std::string& onnx_path,
                                                const std::string& out_path,
                                                const QuantizeOptions& options);

}  // namespace pbatch
