#include "device/device_run.h"

#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "accelerator/data_flags.h"
#include "device/device_op.h"

namespace pbatch {
namespace {

constexpr std::int64_t kDeviceAlignment = 256;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kDeviceAlignment - 1) / kDeviceAlignment * kDeviceAlignment;
}

char* byte_at(void* memory, std::int64_t offset) { return static_cast<char*>(memory) + offset; }

Status status_of_flag(std::uint32_t flag) {
  switch (flag) {
    case kFlagNotFinite:
      return {ErrorCode::not_finite, "the input of this node holds a NaN or an infinity",
              "check the values that go into the network"};
    case kFlagBadIndex:
      return {ErrorCode::invalid_argument, "an index is out of the range of its table",
              "feed indices that the table has"};
    default:
      return {ErrorCode::invalid_argument,
              "sequence_lens holds a length below 0 or beyond the steps of the input",
              "feed lengths from 0 to the steps of the input"};
  }
}

}  // namespace

// Walks the graph once: what the host knows is computed at once, the rest becomes work.
class DeviceRun::Builder {
 public:
  Builder(const Program& program, DeviceRun& run, DeviceBuild& build)
      : program_(program), graph_(program.graph()), run_(run), build_(build) {}

  Status build(std::span<const Tensor> inputs) {
    PBATCH_RETURN_IF_ERROR(build_.allocate_flags());
    values_.resize(graph_.values.size());
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (!graph_.values[i].constant) continue;
      values_[i].host = *graph_.values[i].constant;
      values_[i].is_constant = true;
    }
    PBATCH_RETURN_IF_ERROR(add_inputs(inputs));
    for (std::size_t n = 0; n < program_.size(); ++n) {
      if (Status s = add_node(n); !s) return std::move(s).at_node(program_.node(n).name);
      for (const ValueId id : program_.released_after(n)) at(id) = BuildValue{};
    }
    return add_outputs();
  }

 private:
  BuildValue& at(ValueId id) { return values_[static_cast<std::size_t>(id)]; }

  Status add_inputs(std::span<const Tensor> inputs) {
    std::int64_t bytes = 0;
    for (const Tensor& input : inputs) {
      run_.input_offsets_.push_back(bytes);
      bytes += aligned(static_cast<std::int64_t>(input.bytes()));
    }
    PBATCH_ASSIGN_OR_RETURN(run_.arguments_, build_.device()->allocate_host(bytes));
    std::uint32_t* const flags = build_.first_flag();
    const std::int64_t flag_bytes = flag_bytes_of(graph_);
    build_.add([flags, flag_bytes](Accelerator& device, Stream stream) {
      return device.clear(flags, flag_bytes, stream);
    });
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      PBATCH_ASSIGN_OR_RETURN(DeviceTensor there,
                              build_.allocate(inputs[i].dtype(), inputs[i].shape()));
      add_copy(there.data<void>(), byte_at(run_.arguments_, run_.input_offsets_[i]), there.bytes());
      at(graph_.inputs[i]).device = std::move(there);
    }
    return Status::ok();
  }

  Status add_node(std::size_t n) {
    const Node& node = program_.node(n);
    build_.begin_node(node, program_.op(n), n);
    std::vector<BuildValue> inputs(node.inputs.size()), outputs(node.outputs.size());
    bool known = true;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) inputs[i] = at(node.inputs[i]);
      known = known && !inputs[i].device;
    }
    if (known && node.matrix == nullptr) {
      PBATCH_RETURN_IF_ERROR(run_on_host(inputs, outputs));
    } else {
      PBATCH_ASSIGN_OR_RETURN(const DeviceOpEntry* op, find_device_op(node));
      PBATCH_RETURN_IF_ERROR(op->build(build_, node, inputs, outputs));
      add_step(node, outputs);
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) at(node.outputs[i]) = std::move(outputs[i]);
    }
    return Status::ok();
  }

  // Nodes that the host has done while it built are no part of the run.
  void add_step(const Node& node, std::span<const BuildValue> outputs) {
    if (!outputs[0].is_absent()) {
      if (outputs[0].host) return;
      build_.step().shape = outputs[0].shape();
    }
    if (node.matrix != nullptr && !counted_.insert(node.matrix.get()).second) {
      build_.step().weight_bytes = 0;
    }
    run_.steps_.push_back(build_.step());
  }

  Status run_on_host(std::span<const BuildValue> inputs, std::span<BuildValue> outputs) {
    std::vector<const Tensor*> tensors;
    for (const BuildValue& input : inputs) tensors.push_back(input.host ? &*input.host : nullptr);
    std::vector<Tensor> made(outputs.size());
    PBATCH_RETURN_IF_ERROR(build_.op().run(build_.host(), tensors, made));
    for (std::size_t i = 0; i < made.size(); ++i) outputs[i].host = std::move(made[i]);
    return Status::ok();
  }

  Status add_outputs() {
    std::int64_t bytes = 0;
    for (const ValueId id : graph_.outputs) {
      Output output;
      const BuildValue& value = at(id);
      output.type = value.dtype();
      output.shape = value.shape();
      output.offset = bytes;
      if (value.host) {
        output.known = *value.host;
      } else {
        bytes += aligned(value.device->bytes());
      }
      run_.outputs_.push_back(std::move(output));
    }
    run_.flags_offset_ = bytes;
    bytes += flag_bytes_of(graph_);
    PBATCH_ASSIGN_OR_RETURN(run_.results_, build_.device()->allocate_host(bytes));
    for (std::size_t i = 0; i < run_.outputs_.size(); ++i) {
      const BuildValue& value = at(graph_.outputs[i]);
      if (value.host) continue;
      add_copy(byte_at(run_.results_, run_.outputs_[i].offset), value.device->data<void>(),
               value.device->bytes());
    }
    add_copy(byte_at(run_.results_, run_.flags_offset_), build_.first_flag(),
             flag_bytes_of(graph_));
    return Status::ok();
  }

  void add_copy(void* to, const void* from, std::int64_t bytes) {
    build_.add(
        [=](Accelerator& device, Stream stream) { return device.copy(to, from, bytes, stream); });
  }

  static std::int64_t flag_bytes_of(const Graph& graph) {
    return static_cast<std::int64_t>(graph.nodes.size() * sizeof(std::uint32_t));
  }

  const Program& program_;
  const Graph& graph_;
  DeviceRun& run_;
  DeviceBuild& build_;
  std::set<const BitMatrix*> counted_;
  std::vector<BuildValue> values_;
};

Result<std::shared_ptr<DeviceRun>> DeviceRun::create(const Program& program, DeviceWeights& weights,
                                                     const Precision& precision, RunContext& host,
                                                     std::span<const Tensor> inputs) {
  const std::shared_ptr<Accelerator>& device = weights.device();
  std::shared_ptr<DeviceRun> run(new DeviceRun(program.graph(), device));
  DeviceBuild build(program.graph(), weights, precision, host);
  PBATCH_RETURN_IF_ERROR(Builder(program, *run, build).build(inputs));
  run->kept_ = build.take_kept();
  run->pool_ = build.pool();
  run->flags_ = build.take_flags();

  PBATCH_ASSIGN_OR_RETURN(run->stream_, device->create_stream());
  PBATCH_RETURN_IF_ERROR(device->begin_recording(run->stream_));
  Status status = Status::ok();
  for (const DeviceBuild::Work& work : build.take_work()) {
    status = work(*device, run->stream_);
    if (!status) break;
  }
  Result<Recording> recording = device->end_recording(run->stream_);
  if (recording) run->recording_ = *recording;
  PBATCH_RETURN_IF_ERROR(status);
  PBATCH_RETURN_IF_ERROR(recording.status());
  return run;
}

DeviceRun::~DeviceRun() {
  device_->destroy_recording(recording_);
  device_->destroy_stream(stream_);
  device_->release_host(arguments_);
  device_->release_host(results_);
}

Result<std::vector<Tensor>> DeviceRun::run(RunContext& host, std::span<const Tensor> inputs) const {
  std::vector<Tensor> results;
  for (const Output& output : outputs_) {
    if (output.known) {
      results.push_back(*output.known);
    } else {
      PBATCH_ASSIGN_OR_RETURN(Tensor result, host.allocate(output.type, output.shape));
      results.push_back(std::move(result));
    }
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].bytes() == 0) continue;
    std::memcpy(byte_at(arguments_, input_offsets_[i]), inputs[i].raw(), inputs[i].bytes());
  }
  PBATCH_RETURN_IF_ERROR(device_->replay(recording_, stream_));
  PBATCH_RETURN_IF_ERROR(device_->synchronize(stream_));
  PBATCH_RETURN_IF_ERROR(check_flags());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (outputs_[i].known || results[i].bytes() == 0) continue;
    std::memcpy(results[i].mutable_raw(), byte_at(results_, outputs_[i].offset),
                results[i].bytes());
  }
  return results;
}

Status DeviceRun::check_flags() const {
  const char* const flags = byte_at(results_, flags_offset_);
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    std::uint32_t flag = 0;
    std::memcpy(&flag, flags + n * sizeof flag, sizeof flag);
    if (flag != 0) return status_of_flag(flag).at_node(graph_.nodes[n].name);
  }
  return Status::ok();
}

}  // namespace pbatch
