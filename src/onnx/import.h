// ONNX file -> Graph.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "pbatch/status.h"

namespace pbatch {

/// Where the bytes of external tensors come from. The default reads the file
/// that the tensor names, beside the model; names that leave the model's
/// folder are refused.
class ExternalData {
 public:
  virtual ~ExternalData() = default;
  /// A tensor of `type` and `shape` from `length` bytes at `offset` of `location`.
  /// `length` < 0: the file gave none; as many as the shape needs.
  /// The tensor may have another shape (none of the data is there, say): the
  /// importer takes it as it comes and keeps `shape` in Value::dims.
  virtual Result<Tensor> load(const std::string& tensor_name, DType type, const Shape& shape,
                              const std::string& location, std::int64_t offset,
                              std::int64_t length) = 0;
  /// The files that were read.
  virtual std::vector<std::string> files() const { return {}; }
};

/// Reads a model, opset 7 and later. Trusts nothing in the file: sizes are
/// checked against the bytes that are there before anything is allocated.
/// Subgraphs may be nested 16 deep. Operators need not be known here.
/// `external` null: the default, beside the file.
Result<Graph> import_onnx(const std::string& path, ExternalData* external = nullptr);

/// The same from memory; `path` is for messages and for external data.
Result<Graph> import_onnx_bytes(const void* data, std::size_t size, const std::string& path,
                                ExternalData* external = nullptr);

/// Decodes a serialized onnx.TensorProto (test data of ONNX's node tests).
Result<Tensor> import_tensor_proto(const void* data, std::size_t size);

}  // namespace pbatch
