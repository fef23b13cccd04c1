// Models in memory instead of files. Session::load_bytes runs them.
#pragma once

#include <string>
#include <string_view>

#include "pbatch/export.h"
#include "pbatch/quantize.h"
#include "pbatch/status.h"

namespace pbatch {

/// What the two files of a pbatch model hold.
struct ModelBytes {
  std::string model;  ///< of the .onnx file
  std::string data;   ///< of the .safetensors file beside it
};

/// The report names no paths; its sizes are those of `bytes`.
struct QuantizedBytes {
  QuantizeReport report;
  ModelBytes bytes;
};

/// Reads the float network `onnx_path` and leaves the model in memory. Errors as of
/// quantize_file(), but for those of writing. Thread-safe.
PBATCH_API Result<QuantizedBytes> quantize_to_bytes(const std::string& onnx_path,
                                                    const QuantizeOptions& options);
/// The same from the bytes of an .onnx file, which must hold its weights itself: there is no folder
/// in which external data could be looked for. They are read during the call only. Thread-safe.
PBATCH_API Result<QuantizedBytes> quantize_bytes(std::string_view onnx,
                                                 const QuantizeOptions& options);
/// Writes a pbatch model as quantize_file() does: `out_path`, which must end in .onnx, and the
/// .safetensors file beside it, both or neither. invalid_argument for another name and for a float
/// network, malformed for damaged bytes, io if the files cannot be written. Thread-safe for
/// different outputs.
PBATCH_API Status write_model(const ModelBytes& bytes, const std::string& out_path);

}  // namespace pbatch
