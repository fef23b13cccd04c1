// A group of nodes that ONNX Runtime runs as one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "onnxruntime.h"
#include "pbatch/session.h"
#include "pbatch/status.h"
#include "settings.h"

namespace pbatch::ort {

class CompiledGroup {
 public:
  /// `fused` stands for the nodes of `graph`; neither is needed later.
  static Result<std::unique_ptr<CompiledGroup>> create(const Ort::ConstGraph& graph,
                                                       const Ort::ConstNode& fused,
                                                       const Settings& settings,
                                                       const std::shared_ptr<ThreadPool>& pool);

  /// Runs the nodes on the inputs of `context` and fills its outputs. Layers that `precision` names
  /// and that are elsewhere are passed over. Thread-safe.
  Status compute(OrtKernelContext* context, const Precision& precision) const;

  const std::vector<LayerInfo>& layers() const { return session_.layers(); }
  bool has_layer(const std::string& name) const;

 private:
  struct Port {
    std::string name;
    std::size_t index;  ///< among those of the fused node
  };

  explicit CompiledGroup(Session session) : session_(std::move(session)) {}
  Precision own(const Precision& precision) const;

  Session session_;
  std::vector<Port> inputs_, outputs_;  ///< outputs in the order of the session's
};

}  // namespace pbatch::ort
