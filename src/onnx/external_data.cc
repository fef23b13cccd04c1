#include "onnx/external_data.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "onnx/file_bytes.h"
#include "onnx/tensor_proto.h"

namespace pbatch {
namespace {

namespace fs = std::filesystem;

Status leaves_folder(const std::string& location) {
  return Status(ErrorCode::malformed,
                "external data '" + location + "' lies outside the model's folder",
                "put the data file itself (not a link) beside the model, or where a linked model "
                "leads, and name it by a relative path without '..'");
}

bool lies_in(const fs::path& file, const fs::path& folder) {
  const fs::path relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

Result<std::string> resolve_external_path(const std::string& model_path,
                                          const std::string& location) {
  const fs::path relative(location);
  if (location.empty() || location.find('\0') != std::string::npos) {
    return Status(ErrorCode::malformed, "external data without a file name",
                  "the file is damaged; export the model again");
  }
  if (relative.is_absolute()) return leaves_folder(location);
  for (const fs::path& part : relative) {
    if (part == "..") return leaves_folder(location);
  }
  std::error_code error;
  fs::path folder = fs::path(model_path).parent_path();
  if (folder.empty()) folder = ".";
  const fs::path root = fs::canonical(folder, error);
  if (error) {
    return Status(ErrorCode::io, "cannot open the model's folder: " + error.message(),
                  "check its permissions")
        .in_file(folder.string());
  }
  const fs::path target = fs::canonical(folder / relative, error);
  if (error) {
    return Status(ErrorCode::not_found,
                  "external data file '" + location + "' cannot be opened: " + error.message(),
                  "copy it beside the model");
  }
  if (lies_in(target, root)) return target.string();
  const fs::path model = fs::canonical(model_path, error);
  if (!error && lies_in(target, model.parent_path())) return target.string();
  return leaves_folder(location);
}

Result<Tensor> ExternalFiles::load(const std::string& tensor_name, DType type, const Shape& shape,
                                   const std::string& location, std::int64_t offset,
                                   std::int64_t length) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t count, checked_element_count(shape, dtype_size(type)));
  const std::int64_t wanted = count * static_cast<std::int64_t>(dtype_size(type));
  if (length >= 0 && length != wanted) {
    return Status(ErrorCode::malformed,
                  "tensor '" + tensor_name + "' of shape " + shape_to_string(shape) +
                      " is stored in " + std::to_string(length) + " bytes, not " +
                      std::to_string(wanted),
                  "the file is damaged; export the model again");
  }
  PBATCH_ASSIGN_OR_RETURN(const std::string path, resolve_external_path(model_path_, location));
  PBATCH_ASSIGN_OR_RETURN(const FileBytes file, FileBytes::open(path));
  files_.insert(path);
  if (offset < 0 || offset > file.size() || wanted > file.size() - offset) {
    return Status(ErrorCode::malformed,
                  "tensor '" + tensor_name + "' needs " + std::to_string(wanted) +
                      " bytes at offset " + std::to_string(offset) + " of '" + location +
                      "', which has " + std::to_string(file.size()),
                  "the data file was cut short or belongs to another model; copy it again");
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(type, shape));
  PBATCH_RETURN_IF_ERROR(file.read(offset, wanted, tensor.mutable_raw()));
  if (type == DType::boolean) normalize_bools(tensor);
  return tensor;
}

}  // namespace pbatch
