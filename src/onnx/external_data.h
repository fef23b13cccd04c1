// External tensors in files beside the model.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "onnx/import.h"
#include "pbatch/status.h"

namespace pbatch {

/// The file that `location` means in a model at `model_path`. Refuses absolute
/// paths, "..", and links that lead out of the model's folder: a model from a
/// stranger must not read the user's other files. Where the model itself is a
/// link, as in the caches of model hubs, the folder that it leads to will do as well.
Result<std::string> resolve_external_path(const std::string& model_path,
                                          const std::string& location);

/// Reads external tensors from the files that they name.
class ExternalFiles : public ExternalData {
 public:
  explicit ExternalFiles(std::string model_path) : model_path_(std::move(model_path)) {}
  Result<Tensor> load(const std::string& tensor_name, DType type, const Shape& shape,
                      const std::string& location, std::int64_t offset,
                      std::int64_t length) override;
  std::vector<std::string> files() const override { return {files_.begin(), files_.end()}; }

 private:
  std::string model_path_;
  std::set<std::string> files_;
};

}  // namespace pbatch
