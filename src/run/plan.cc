#include "run/plan.h"

#include <chrono>
#include <utility>

#include "run/plan_frame.h"

namespace pbatch {
namespace {

constexpr std::size_t kIdleFrames = 4;

double microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

// A frame for the length of a run. One that an error left half filled is not used again.
class Plan::FrameLease {
 public:
  explicit FrameLease(const Plan& plan) : plan_(plan), frame_(plan.take_frame()) {}
  ~FrameLease() {
    if (complete_) plan_.give_back(std::move(frame_));
  }
  FrameLease(const FrameLease&) = delete;
  FrameLease& operator=(const FrameLease&) = delete;

  Frame& operator*() { return *frame_; }
  void complete() { complete_ = true; }

 private:
  const Plan& plan_;
  std::unique_ptr<Frame> frame_;
  bool complete_ = false;
};

Plan::Plan() = default;
Plan::~Plan() = default;

std::unique_ptr<Plan::Frame> Plan::take_frame() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Frame> frame = std::move(idle_.back());
      idle_.pop_back();
      return frame;
    }
  }
  auto frame = std::make_unique<Frame>();
  frame->pointers = pointers_;
  frame->tensors.resize(types_.size());
  return frame;
}

void Plan::give_back(std::unique_ptr<Frame> frame) const {
  for (const auto* ids : {&graph_->inputs, &graph_->outputs}) {
    for (const ValueId id : *ids) frame->tensors[static_cast<std::size_t>(id)] = Tensor{};
  }
  frame->arena.reset();
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleFrames) idle_.push_back(std::move(frame));
}

Status Plan::bind(Frame& frame, BufferPool& buffers, std::span<const Tensor> inputs) const {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    frame.tensors[static_cast<std::size_t>(graph_->inputs[i])] = inputs[i];
  }
  if (arena_bytes_ == 0) return Status::ok();
  frame.arena = buffers.take(arena_bytes_);
  if (frame.arena == nullptr) {
    return {ErrorCode::out_of_memory,
            "no memory for " + std::to_string(arena_bytes_) + " bytes of intermediate results",
            "feed a smaller batch or smaller inputs"};
  }
  auto* const base = static_cast<std::byte*>(frame.arena.get());
  if (frame.base == base) return Status::ok();
  frame.base = base;
  for (const ArenaSlot& slot : arena_slots_) frame.pointers[slot.slot] = base + slot.offset;
  return Status::ok();
}

const Tensor& Plan::tensor_of(const Frame& frame, ValueId id) const {
  const auto i = static_cast<std::size_t>(id);
  return constants_[i] != nullptr ? *constants_[i] : frame.tensors[i];
}

Status Plan::run_operator(const Entry& entry, Frame& frame, RunContext& context) const {
  frame.inputs.clear();
  for (const ValueId id : entry.inputs) {
    frame.inputs.push_back(id == kNoValue ? nullptr : &tensor_of(frame, id));
  }
  frame.outputs.assign(entry.outputs.size(), Tensor{});
  PBATCH_RETURN_IF_ERROR(entry.op->run(context, frame.inputs, frame.outputs));
  for (std::size_t i = 0; i < frame.outputs.size(); ++i) {
    const ValueId id = entry.outputs[i];
    if (id != kNoValue) frame.tensors[static_cast<std::size_t>(id)] = std::move(frame.outputs[i]);
  }
  frame.outputs.clear();
  return Status::ok();
}

Status Plan::run_entry(const Entry& entry, Frame& frame, RunContext& context,
                       StepPhases* phases) const {
  if (entry.is_alias) {
    const auto to = static_cast<std::size_t>(entry.outputs[0]);
    frame.tensors[to] = tensor_of(frame, entry.made[0].value).reshaped(types_[to]->shape);
    return Status::ok();
  }
  if (entry.step == nullptr) return run_operator(entry, frame, context);
  PBATCH_ASSIGN_OR_RETURN(const StepCall call, bind_step(entry, frame, context, phases));
  return entry.step->run(call);
}

// Pointers of inputs and outputs that are tensors are known now.
Result<StepCall> Plan::bind_step(const Entry& entry, Frame& frame, RunContext& context,
                                 StepPhases* phases) const {
  for (const Patch& patch : entry.patches) {
    frame.pointers[patch.slot] = frame.tensors[static_cast<std::size_t>(patch.value)].raw();
  }
  for (const Patch& patch : entry.made) {
    const auto id = static_cast<std::size_t>(patch.value);
    PBATCH_ASSIGN_OR_RETURN(frame.tensors[id],
                            context.allocate(types_[id]->dtype, types_[id]->shape));
    frame.pointers[patch.slot] = frame.tensors[id].raw();
  }
  return StepCall{frame.pointers.data() + entry.in,
                  const_cast<void* const*>(frame.pointers.data() + entry.out),
                  frame.at(entry.scratch),
                  frame.at(entry.packed),
                  entry.packed_ready,
                  context.pool,
                  context.buffers,
                  phases};
}

// The steps of subgraphs say for themselves what they took.
Status Plan::run_timed(const Entry& entry, Frame& frame, RunContext& context) const {
  StepPhases phases;
  const std::size_t before = context.timings->size();
  const auto start = std::chrono::steady_clock::now();
  PBATCH_RETURN_IF_ERROR(run_entry(entry, frame, context, &phases));
  StepTiming timing{entry.node, entry.info, microseconds_since(start)};
  for (std::size_t i = before; i < context.timings->size(); ++i) {
    timing.us -= (*context.timings)[i].us;
  }
  timing.quantize_us = static_cast<double>(phases.quantize) / 1e3;
  timing.product_us = static_cast<double>(phases.product) / 1e3;
  timing.epilogue_us = static_cast<double>(phases.epilogue) / 1e3;
  context.timings->push_back(timing);
  return Status::ok();
}

std::optional<TensorType> Plan::type_of(ValueId id) const {
  if (id == kNoValue) return std::nullopt;
  const auto i = static_cast<std::size_t>(id);
  if (constants_[i] != nullptr) return TensorType{constants_[i]->dtype(), constants_[i]->shape()};
  return types_[i];
}

std::vector<Tensor> Plan::collect(const Frame& frame) const {
  std::vector<Tensor> outputs;
  outputs.reserve(graph_->outputs.size());
  for (const ValueId id : graph_->outputs) outputs.push_back(tensor_of(frame, id));
  return outputs;
}

Result<std::vector<Tensor>> Plan::run(RunContext& context, std::span<const Tensor> inputs) const {
  FrameLease lease(*this);
  Frame& frame = *lease;
  if (Status s = bind(frame, context.buffers, inputs); !s) {
    return std::move(s).in_file(graph_->source_file);
  }
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    const Entry& entry = entries_[e];
    const bool timed = context.timings != nullptr && !entry.is_alias;
    Status done = entry.chain.steps > 1 ? run_chain(e, frame, context)
                  : timed               ? run_timed(entry, frame, context)
                                        : run_entry(entry, frame, context, nullptr);
    if (!done) return std::move(done).at_node(entry.node->name).in_file(graph_->source_file);
    for (const std::size_t last = e + entry.chain.steps - 1;; ++e) {
      for (const ValueId id : entries_[e].released) {
        frame.tensors[static_cast<std::size_t>(id)] = Tensor{};
      }
      if (e == last) break;
    }
  }
  std::vector<Tensor> outputs = collect(frame);
  lease.complete();
  return outputs;
}

}  // namespace pbatch
