#include "load_group.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>

#include "api/quantize_loaded.h"
#include "format/model_file.h"
#include "format/safetensors.h"
#include "onnx/export.h"
#include "pbatch/pbatch.h"

namespace pbatch::ort {
namespace {

namespace fs = std::filesystem;

void add_text(Crc32& crc, const std::string& text) {
  crc.add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string describe(const QuantizeOptions& q) {
  return std::string(pbatch_version()) + " planes=" + std::to_string(q.planes) +
         " group=" + std::to_string(q.group) + " min=" + std::to_string(q.min_elements) +
         " floor=" + std::to_string(q.floor_bits) + " outliers=" + std::to_string(q.outliers) +
         " row_sums=" + std::to_string(q.row_sums);
}

// Two checksums, of what the network does and of its weights, and the number of weights' bytes: of
// networks in one folder no two share all three but by an accident of 1 in 2^64.
Result<std::string> file_name(const Graph& graph, const QuantizeOptions& options) {
  Crc32 weights, structure;
  std::size_t bytes = 0;
  for (const Value& value : graph.values) {
    if (!value.constant) continue;
    weights.add({static_cast<const std::uint8_t*>(value.constant->raw()), value.constant->bytes()});
    bytes += value.constant->bytes();
  }
  PBATCH_ASSIGN_OR_RETURN(const std::string text, export_onnx(graph, [&](ValueId id) {
                            const auto size = graph.constant(id)->bytes();
                            return ExternalPlace{"weights", 0, static_cast<std::int64_t>(size)};
                          }));
  add_text(structure, text);
  add_text(structure, describe(options));
  return structure.hex() + weights.hex() + "-" + std::to_string(bytes) + ".onnx";
}

Status quantize(Graph& graph, const Settings& settings, const SessionOptions& options) {
  QuantizeOptions chosen = settings.quantize;
  chosen.threads = thread_count(*options.pool);
  return quantize_loaded(graph, chosen).status();
}

Result<Session> load_cached(Graph graph, const Settings& settings, const SessionOptions& options) {
  std::error_code error;
  fs::create_directories(settings.cache, error);
  if (error) {
    return Status(ErrorCode::io, "the cache folder cannot be made: " + error.message(),
                  "name a folder that can be written")
        .in_file(settings.cache);
  }
  PBATCH_ASSIGN_OR_RETURN(const std::string name, file_name(graph, settings.quantize));
  const fs::path path = fs::path(settings.cache) / name;
  const bool is_there =
      fs::exists(path, error) && fs::exists(fs::path(path).replace_extension("safetensors"), error);
  if (!is_there) {
    PBATCH_RETURN_IF_ERROR(quantize(graph, settings, options));
    if (auto saved = save_model(graph, path.string(), {}); !saved) return saved.status();
  }
  return Session::load(path.string(), options);
}

}  // namespace

Result<Session> load_group(Graph graph, const Settings& settings,
                           const std::shared_ptr<ThreadPool>& pool) {
  SessionOptions options;
  options.pool = pool;
  const bool is_quantized = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                        [](const Node& n) { return n.domain == kPbatchDomain; });
  if (!is_quantized && !settings.cache.empty()) {
    return load_cached(std::move(graph), settings, options);
  }
  if (!is_quantized) PBATCH_RETURN_IF_ERROR(quantize(graph, settings, options));
  PBATCH_ASSIGN_OR_RETURN(const ModelBytes bytes, encode_model(graph));
  graph = Graph();
  return Session::load_bytes(bytes.model, bytes.data, options);
}

}  // namespace pbatch::ort
