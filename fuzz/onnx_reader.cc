// Bytes become a model; what imports must pass every float pass and export again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "graph/passes.h"
#include "onnx/export.h"
#include "onnx/import.h"

namespace {

using namespace pbatch;  // NOLINT(google-build-using-namespace)

// Touches no file: external tensors hold nothing.
class NoFiles : public ExternalData {
 public:
  Result<Tensor> load(const std::string&, DType type, const Shape&, const std::string&,
                      std::int64_t, std::int64_t) override {
    return Tensor::create(type, {0});
  }
};

// A pass may refuse an attribute of the wrong type; it must leave a runnable graph otherwise.
bool passes(Graph& graph) {
  for (const auto pass : {widen_to_float32, resolve_sequences, expand, remove_unused,
                          fold_batch_norm, fuse_linear, remove_unused}) {
    if (!pass(graph)) return false;
    if (!sort_topologically(graph)) std::abort();
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)import_tensor_proto(data, size).is_ok();
  NoFiles external;
  Result<Graph> graph = import_onnx_bytes(data, size, "fuzz.onnx", &external);
  if (!graph || !passes(*graph)) return 0;
  const Result<std::string> exported = export_onnx(*graph, nullptr);
  if (!exported) std::abort();
  if (!import_onnx_bytes(exported->data(), exported->size(), "fuzz.onnx")) std::abort();
  return 0;
}
