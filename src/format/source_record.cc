#include "format/source_record.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <system_error>
#include <vector>

#include "format/model_file.h"
#include "format/safetensors.h"
#include "onnx/file_bytes.h"

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

struct Fingerprint {
  std::string size, checksum;
};

Result<Fingerprint> fingerprint_of(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(const FileBytes file, FileBytes::open(path));
  Crc32 crc;
  std::vector<std::uint8_t> chunk(std::size_t{1} << 20);
  for (std::int64_t at = 0; at < file.size();) {
    const auto count = std::min(static_cast<std::int64_t>(chunk.size()), file.size() - at);
    PBATCH_RETURN_IF_ERROR(file.read(at, count, chunk.data()));
    crc.add(std::span(chunk).first(static_cast<std::size_t>(count)));
    at += count;
  }
  return Fingerprint{std::to_string(file.size()), crc.hex()};
}

}  // namespace

Status record_source(Graph& graph, const std::string& source_path, const std::string& model_path) {
  PBATCH_ASSIGN_OR_RETURN(const Fingerprint source, fingerprint_of(source_path));
  std::error_code error;
  // The file's own name, not that of what it links to: its data lies beside it.
  const fs::path folder = fs::relative(folder_of(source_path), folder_of(model_path), error);
  if (error || folder.empty()) return Status::ok();  // on another root: nothing worth recording
  const fs::path relative = (folder / fs::path(source_path).filename()).lexically_normal();
  graph.metadata[kPath] = relative.generic_string();
  graph.metadata[kSize] = source.size;
  graph.metadata[kChecksum] = source.checksum;
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
  const Result<Fingerprint> source = fingerprint_of(path);
  const bool same = source && source->size == value(kSize) && source->checksum == value(kChecksum);
  return same ? path : std::string();
}

}  // namespace pbatch
