#include "provider.h"

#include <utility>

#include "claim.h"
#include "compiled_group.h"
#include "guard.h"
#include "run_precisions.h"

namespace pbatch::ort {
namespace {

const Provider& self(const OrtEp* ep) { return *static_cast<const Provider*>(ep); }

// What ONNX Runtime holds of a group.
struct GroupInfo : OrtNodeComputeInfo {
  GroupInfo(const Provider* of, std::unique_ptr<CompiledGroup> compiled)
      : OrtNodeComputeInfo{}, provider(of), group(std::move(compiled)) {
    ort_version_supported = kApiVersion;
    CreateState = [](OrtNodeComputeInfo* info, OrtNodeComputeContext*, void** state) noexcept {
      *state = info;
      return static_cast<OrtStatus*>(nullptr);
    };
    Compute = [](OrtNodeComputeInfo*, void* state, OrtKernelContext* context) noexcept {
      const auto* const info = static_cast<const GroupInfo*>(state);
      return guarded([&] { return info->provider->compute(*info->group, context); });
    };
    ReleaseState = [](OrtNodeComputeInfo*, void*) noexcept {};
  }

  const Provider* provider;
  std::unique_ptr<CompiledGroup> group;
};

OrtStatus* ORT_API_CALL compile_all(OrtEp* ep, const OrtGraph** graphs, const OrtNode** fused,
                                    std::size_t count, OrtNodeComputeInfo** infos,
                                    OrtNode**) noexcept {
  return guarded([&]() -> Status {
    for (std::size_t i = 0; i < count; ++i) {
      PBATCH_RETURN_IF_ERROR(static_cast<Provider*>(ep)->compile(graphs[i], fused[i], &infos[i]));
    }
    return Status::ok();
  });
}

}  // namespace

std::unique_ptr<Provider> Provider::create(const OrtSessionOptions* options) {
  std::unique_ptr<Provider> provider(new Provider());
  provider->wrong_ = provider->configure(options);
  return provider;
}

Status Provider::configure(const OrtSessionOptions* options) {
  PBATCH_ASSIGN_OR_RETURN(settings_, read_settings(options));
  PBATCH_ASSIGN_OR_RETURN(pool_, make_thread_pool({settings_.threads, {}}));
  return Status::ok();
}

Provider::Provider() : OrtEp{} {
  ort_version_supported = kApiVersion;
  GetName = [](const OrtEp*) noexcept { return kProviderName; };
  GetCapability = [](OrtEp* ep, const OrtGraph* graph, OrtEpGraphSupportInfo* info) noexcept {
    return guarded([&] { return static_cast<Provider*>(ep)->claim(graph, info); });
  };
  Compile = compile_all;
  ReleaseNodeComputeInfos = [](OrtEp*, OrtNodeComputeInfo** infos, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) delete static_cast<GroupInfo*>(infos[i]);
  };
  OnRunStart = [](OrtEp* ep, const OrtRunOptions* options) noexcept {
    return guarded([&] { return self(ep).begin(options); });
  };
  OnRunEnd = [](OrtEp* ep, const OrtRunOptions*, bool) noexcept {
    end_run(&self(ep));
    return static_cast<OrtStatus*>(nullptr);
  };
}

Status Provider::claim(const OrtGraph* graph, OrtEpGraphSupportInfo* info) {
  Result<std::vector<NodeGroup>> chosen = choose_groups(Ort::ConstGraph(graph), settings_);
  if (!chosen && wrong_) wrong_ = chosen.status();
  PBATCH_ASSIGN_OR_RETURN(const std::vector<NodeGroup> groups, std::move(chosen));
  OrtNodeFusionOptions options{};
  options.ort_version_supported = kApiVersion;
  options.drop_constant_initializers = true;
  for (const NodeGroup& group : groups) {
    const std::vector<const OrtNode*> nodes(group.begin(), group.end());
    Ort::ThrowOnError(Ort::GetEpApi().EpGraphSupportInfo_AddNodesToFuse(info, nodes.data(),
                                                                        nodes.size(), &options));
  }
  return Status::ok();
}

Status Provider::compile(const OrtGraph* graph, const OrtNode* fused, OrtNodeComputeInfo** made) {
  PBATCH_RETURN_IF_ERROR(wrong_);
  PBATCH_ASSIGN_OR_RETURN(
      std::unique_ptr<CompiledGroup> group,
      CompiledGroup::create(Ort::ConstGraph(graph), Ort::ConstNode(fused), settings_, pool_));
  for (const LayerInfo& layer : group->layers()) layers_.insert(layer.name);
  *made = std::make_unique<GroupInfo>(this, std::move(group)).release();
  return Status::ok();
}

Status Provider::begin(const OrtRunOptions* options) const {
  PBATCH_RETURN_IF_ERROR(wrong_);
  PBATCH_ASSIGN_OR_RETURN(Precision precision, read_run_precision(options, settings_.precision));
  for (const auto& [name, bits] : precision.layers) {
    if (layers_.contains(name)) continue;
    std::string known;
    for (const std::string& layer : layers_) known += (known.empty() ? "" : ", ") + layer;
    return {ErrorCode::invalid_argument, "no layer is named '" + name + "'",
            "the layers are: " + known};
  }
  begin_run(this, std::move(precision));
  return Status::ok();
}

Status Provider::compute(const CompiledGroup& group, OrtKernelContext* context) const {
  const Precision* const precision = current_precision(this);
  if (precision == nullptr) {
    return {ErrorCode::unsupported,
            "ONNX Runtime runs a node in another thread than the one of its run, so that its "
            "precision is not known",
            "set SessionOptions.execution_mode to ORT_SEQUENTIAL"};
  }
  return group.compute(context, *precision);
}

}  // namespace pbatch::ort
