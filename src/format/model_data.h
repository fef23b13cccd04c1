// The data file of a model as the ONNX reader sees it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "format/safetensors.h"
#include "onnx/external_data.h"

namespace pbatch {

/// Serves external tensors: those in a safetensors file as views of the mapped
/// file, checked against its header and, but for planes, against their
/// checksums; all others as ordinary external data. A plane that a cut file
/// lacks comes as an empty tensor.
class ModelData : public ExternalData {
 public:
  explicit ModelData(std::string model_path) : model_path_(model_path), files_(std::move(model_path)) {}

  Result<Tensor> load(const std::string& tensor_name, DType type, const Shape& shape,
                      const std::string& location, std::int64_t offset,
                      std::int64_t length) override;

  /// The safetensors file, once a tensor has been loaded from it; else null.
  const SafetensorsFile* file() const { return file_ ? &*file_ : nullptr; }
  /// The checksum that the file records for a tensor; empty if none.
  std::string checksum(const std::string& tensor_name) const;

 private:
  std::string model_path_;
  ExternalFiles files_;
  std::string location_;
  std::optional<SafetensorsFile> file_;
};

/// Whether a tensor's name is that of a plane ("<layer>/plane<number>").
bool is_plane_name(const std::string& tensor_name);

}  // namespace pbatch
