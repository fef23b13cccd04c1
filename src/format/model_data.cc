#include "format/model_data.h"

#include <algorithm>

namespace pbatch {
namespace {

// Planes are named "<layer>/plane<number>"; no other byte tensor ends like that.
bool is_plane(const std::string& tensor_name, DType type) {
  if (type != DType::u8) return false;
  const std::size_t at = tensor_name.rfind("/plane");
  if (at == std::string::npos || at + 6 == tensor_name.size()) return false;
  return std::all_of(tensor_name.begin() + static_cast<std::ptrdiff_t>(at) + 6, tensor_name.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

Status not_in_memory(const std::string& tensor_name, const std::string& location) {
  return {ErrorCode::not_found,
          "tensor '" + tensor_name + "' lies in '" + location +
              "', and a network in memory has no folder to look in",
          "load it from its path; a pbatch model also from the bytes of both its files"};
}

}  // namespace

Result<SafetensorsFile> ModelData::open(const std::string& location) const {
  if (bytes_)
    return SafetensorsFile::open(FileBytes::in_memory(std::string(*bytes_), location), location);
  PBATCH_ASSIGN_OR_RETURN(const std::string path, resolve_external_path(model_path_, location));
  return SafetensorsFile::open(path);
}

std::string ModelData::checksum(const std::string& tensor_name) const {
  if (!file_) return {};
  const auto it = file_->metadata().find("crc32/" + tensor_name);
  return it == file_->metadata().end() ? std::string() : it->second;
}

std::vector<std::string> ModelData::files() const {
  std::vector<std::string> files = files_.files();
  if (file_ && !bytes_) files.push_back(file_->path());
  return files;
}

Result<Tensor> ModelData::load(const std::string& tensor_name, DType type, const Shape& shape,
                               const std::string& location, std::int64_t offset,
                               std::int64_t length) {
  const bool in_memory = bytes_.has_value();
  if (in_memory && (bytes_->empty() || !location.ends_with(".safetensors"))) {
    return not_in_memory(tensor_name, location);
  }
  if (!location.ends_with(".safetensors")) {
    return files_.load(tensor_name, type, shape, location, offset, length);
  }
  if (!file_) {
    PBATCH_ASSIGN_OR_RETURN(file_, open(location));
    location_ = location;
    is_ours_ = file_->metadata().contains("pbatch.format_version");
  }
  if (!is_ours_ && in_memory) return not_in_memory(tensor_name, location);
  if (!is_ours_) return files_.load(tensor_name, type, shape, location, offset, length);
  if (location != location_) {
    return Status(
        ErrorCode::malformed,
        "tensor '" + tensor_name + "' lies in '" + location + "', others in '" + location_ + "'",
        "a model has one data file; make it anew with 'pbatch quantize'");
  }
  return load_ours(tensor_name, type, shape, offset, length);
}

Result<Tensor> ModelData::load_ours(const std::string& tensor_name, DType type, const Shape& shape,
                                    std::int64_t offset, std::int64_t length) {
  const SafetensorsEntry* entry = file_->find(tensor_name);
  if (entry == nullptr || entry->dtype != type || entry->shape != shape || entry->begin != offset ||
      (length >= 0 && entry->end - entry->begin != length)) {
    return Status(ErrorCode::malformed,
                  "the data file describes tensor '" + tensor_name + "' differently from the graph",
                  "the two files do not belong together; copy both again")
        .in_file(file_->path());
  }
  if (!file_->holds(*entry)) {
    if (is_plane(tensor_name, type)) return Tensor::create(type, {0});
    return Status(ErrorCode::malformed,
                  "the data file was cut before tensor '" + tensor_name +
                      "', which every precision needs",
                  "copy the data file again, whole or at least up to its first planes")
        .in_file(file_->path());
  }
  PBATCH_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(type, shape));
  if (is_plane(tensor_name, type)) return tensor;
  PBATCH_RETURN_IF_ERROR(file_->read(*entry, tensor.mutable_raw()));
  const std::span bytes(static_cast<const std::uint8_t*>(tensor.raw()), tensor.bytes());
  if (crc32_hex(bytes) != checksum(tensor_name)) {
    return Status(ErrorCode::malformed, "tensor '" + tensor_name + "' fails its checksum",
                  "the data file is damaged; copy it again")
        .in_file(file_->path());
  }
  return tensor;
}

}  // namespace pbatch
