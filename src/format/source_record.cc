#include "format/source_record.h"

#include <filesystem>
#include <system_error>

#include "format/model_file.h"
#include "format/safetensors.h"

namespace pbatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPath = "pbatch.source_path";
constexpr const char* kSize = "pbatch.source_size";
constexpr const char* kChecksum = "pbatch.source_crc32";

fs::path folder_of(const std::string& file) {
  const fs::path folder = fs::path(file).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

}  // namespace

Status record_source(Graph& graph, const std::string& source_path, const std::string& model_path) {
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file,
                          MappedFile::open(source_path));
  std::error_code error;
  const fs::path relative = fs::relative(source_path, folder_of(model_path), error);
  if (error || relative.empty()) return Status::ok();  // on another root: nothing worth recording
  graph.metadata[kPath] = relative.generic_string();
  graph.metadata[kSize] = std::to_string(file->bytes().size());
  graph.metadata[kChecksum] = crc32_hex(file->bytes());
  return Status::ok();
}

std::string float_source_of(const Graph& graph) {
  const auto value = [&](const char* key) {
    const auto it = graph.metadata.find(key);
    return it == graph.metadata.end() ? std::string() : it->second;
  };
  const std::string relative = value(kPath);
  if (relative.empty()) return {};
  const std::string path = (folder_of(graph.source_file) / relative).lexically_normal().string();
  const Result<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
  if (!file || std::to_string((*file)->bytes().size()) != value(kSize) ||
      crc32_hex((*file)->bytes()) != value(kChecksum)) {
    return {};
  }
  return path;
}

}  // namespace pbatch
