#include "onnx/import.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <new>

#include "base/aligned_buffer.h"
#include "onnx/external_data.h"
#include "onnx/file_bytes.h"
#include "onnx/read_model.h"
#include "onnx/read_tensor.h"

namespace pbatch {
namespace {

// protobuf's own limit: a message is smaller than 2 GB.
constexpr std::int64_t kMaxImportBytes = std::numeric_limits<int>::max();

Status out_of_memory() {
  return Status(ErrorCode::out_of_memory, "no memory for the model", "close other programs");
}

Status import_too_large() {
  return Status(ErrorCode::unsupported,
                "the model is larger than 2 GB, the most a .onnx file can be",
                "save its weights as external data");
}

bool looks_like_text(const char* data, std::size_t size) {
  return std::all_of(data, data + std::min<std::size_t>(size, 256), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isprint(byte) != 0 || std::isspace(byte) != 0 || byte >= 0x80;
  });
}

Status not_a_model(const char* data, std::size_t size) {
  if (looks_like_text(data, size)) {
    return Status(ErrorCode::malformed, "the file is text, not an ONNX model",
                  "if it is a Git LFS pointer, fetch the real file with 'git lfs pull'");
  }
  return Status(ErrorCode::malformed,
                "not a whole ONNX model: the file is damaged, cut short, nested too deeply or of "
                "another format",
                "copy or export it again");
}

// What the standard library and protobuf throw stops here.
template <class Import>
auto without_exceptions(const std::string& path, Import import) -> decltype(import()) {
  try {
    auto result = import();
    if (!result) return result.status().in_file(path);
    return result;
  } catch (const std::bad_alloc&) {
    return out_of_memory().in_file(path);
  } catch (const std::exception& e) {
    return Status(ErrorCode::malformed, std::string("cannot read the file: ") + e.what(),
                  "export the model again")
        .in_file(path);
  }
}

Result<Graph> import_model(const char* data, std::size_t size, const std::string& path,
                           ExternalData* external) {
  if (size == 0) {
    return Status(ErrorCode::malformed, "the file is empty", "copy or download it again");
  }
  if (static_cast<std::int64_t>(size) > kMaxImportBytes) return import_too_large();
  onnx::ModelProto model;
  if (!model.ParseFromArray(data, static_cast<int>(size)) || !model.has_ir_version()) {
    return not_a_model(data, size);
  }
  ExternalFiles beside_the_model(path);
  if (external == nullptr) external = &beside_the_model;
  PBATCH_ASSIGN_OR_RETURN(Graph graph, read_model(model, path, external));
  graph.files = external->files();
  graph.files.push_back(path);
  return graph;
}

}  // namespace

Result<Graph> import_onnx_bytes(const void* data, std::size_t size, const std::string& path,
                                ExternalData* external) {
  return without_exceptions(
      path, [&] { return import_model(static_cast<const char*>(data), size, path, external); });
}

Result<Graph> import_onnx(const std::string& path, ExternalData* external) {
  return without_exceptions(path, [&]() -> Result<Graph> {
    PBATCH_ASSIGN_OR_RETURN(const FileBytes file, FileBytes::open(path));
    if (file.size() > kMaxImportBytes) return import_too_large();
    const std::shared_ptr<void> bytes = allocate_aligned(static_cast<std::size_t>(file.size()));
    if (bytes == nullptr) return out_of_memory();
    PBATCH_RETURN_IF_ERROR(file.read(0, file.size(), bytes.get()));
    return import_model(static_cast<const char*>(bytes.get()),
                        static_cast<std::size_t>(file.size()), path, external);
  });
}

Result<Tensor> import_tensor_proto(const void* data, std::size_t size) {
  return without_exceptions({}, [&]() -> Result<Tensor> {
    if (static_cast<std::int64_t>(size) > kMaxImportBytes) return import_too_large();
    onnx::TensorProto proto;
    if (!proto.ParseFromArray(data, static_cast<int>(size))) {
      return Status(ErrorCode::malformed, "not a whole ONNX tensor", "export it again");
    }
    return read_tensor(proto, proto.name(), nullptr);
  });
}

}  // namespace pbatch
