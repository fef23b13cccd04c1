// The data file of a model as the ONNX reader sees it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/safetensors.h"
#include "onnx/external_data.h"

namespace pbatch {

/// Serves external tensors: those in our data file checked against its header and
/// their checksums; all others, also those in safetensors files of other programs,
/// as ordinary external data. Of a plane the tensor has memory, for a StoredPlane
/// to fill; that of one that a cut file lacks is empty.
class ModelData : public ExternalData {
 public:
  explicit ModelData(std::string model_path)
      : model_path_(model_path), files_(std::move(model_path)) {}
  /// A model in memory: the bytes of its data file, which must live as long as this object; empty
  /// for none. Other files are refused, for there is no folder to look in.
  explicit ModelData(std::string_view data) : bytes_(data), files_({}) {}

  Result<Tensor> load(const std::string& tensor_name, DType type, const Shape& shape,
                      const std::string& location, std::int64_t offset,
                      std::int64_t length) override;
  std::vector<std::string> files() const override;

  /// Our data file, once a tensor has been loaded from it; else null.
  const SafetensorsFile* file() const { return file_ && is_ours_ ? &*file_ : nullptr; }
  /// The checksum that the file records for a tensor; empty if none.
  std::string checksum(const std::string& tensor_name) const;

 private:
  std::string model_path_;
  std::optional<std::string_view> bytes_;  // there: a model in memory
  ExternalFiles files_;
  std::string location_;
  std::optional<SafetensorsFile> file_;
  bool is_ours_ = false;

  Result<SafetensorsFile> open(const std::string& location) const;
  Result<Tensor> load_ours(const std::string& tensor_name, DType type, const Shape& shape,
                           std::int64_t offset, std::int64_t length);
};

}  // namespace pbatch
