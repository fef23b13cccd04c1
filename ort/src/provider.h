// The execution provider of one session.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "onnxruntime.h"
#include "pbatch/status.h"
#include "pbatch/thread_pool.h"
#include "settings.h"

namespace pbatch::ort {

class CompiledGroup;

class Provider : public OrtEp {
 public:
  /// Settings that cannot be used are an error of compile() and begin() only: ONNX Runtime's Python
  /// package and its graph partitioner answer an earlier one by running without the provider.
  static std::unique_ptr<Provider> create(const OrtSessionOptions* options);

  Status claim(const OrtGraph* graph, OrtEpGraphSupportInfo* info);
  Status compile(const OrtGraph* graph, const OrtNode* fused, OrtNodeComputeInfo** made);
  /// invalid_argument for a layer that no group has.
  Status begin(const OrtRunOptions* options) const;
  Status compute(const CompiledGroup& group, OrtKernelContext* context) const;

 private:
  Provider();
  Status configure(const OrtSessionOptions* options);

  Status wrong_;  ///< what every run is refused for
  Settings settings_;
  std::shared_ptr<ThreadPool> pool_;
  std::set<std::string> layers_;  ///< of all groups; complete before the first run
};

}  // namespace pbatch::ort
