// A program compiled for one precision and the types of its inputs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "op/op.h"
#include "op/step.h"
#include "run/chains.h"

namespace pbatch {

/// Steps in the order in which they run, each with its inputs and its place in memory. Values whose
/// types were known lie in one block, the arena, where they share places when their lifetimes
/// allow; so a planned step looks nothing up and allocates nothing. What depends on data is a
/// tensor of its own that its step allocates, as are the outputs of the program.
class Plan {
 public:
  /// `inputs`: types only. Errors name the node and the file.
  static Result<std::shared_ptr<const Plan>> compile(const Program& program,
                                                     const RunContext& context,
                                                     std::span<const TensorType> inputs);
  ~Plan();

  /// `inputs` of the types that it was compiled for. Thread-safe.
  Result<std::vector<Tensor>> run(RunContext& context, std::span<const Tensor> inputs) const;

  /// Every node that a run does something for, in its order.
  struct Entry;
  std::span<const Entry> entries() const { return entries_; }
  /// Type of a value; none where it is not known before a run.
  std::optional<TensorType> type_of(ValueId id) const;
  /// The elements of a value that is the same in every run; else null.
  const Tensor* constant_of(ValueId id) const { return constants_[static_cast<std::size_t>(id)]; }
  /// Bytes of the arena.
  std::size_t arena_bytes() const { return arena_bytes_; }

  /// When it was used last, as WeightStore tells the time.
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  void use(std::uint64_t when) const { used_.store(when, std::memory_order_relaxed); }

  static constexpr std::size_t kNoPlace = static_cast<std::size_t>(-1);

  /// A pointer of a step that is known only when it runs.
  struct Patch {
    std::size_t slot = 0;  ///< of Frame::pointers
    ValueId value = kNoValue;
  };
  /// A pointer into the arena.
  struct ArenaSlot {
    std::size_t slot = 0, offset = 0;
  };

  struct Entry {
    const Node* node = nullptr;
    const Op* op = nullptr;  ///< null: brings a value into another layout, for the node
    std::vector<ValueId> inputs, outputs;  ///< the node's, or the same in another layout
    std::unique_ptr<const Step> step;      ///< null: runs as an operator, or passes a tensor on
    bool is_alias = false;
    std::size_t in = 0, out = 0;                        ///< the first of its pointers
    std::size_t scratch = kNoPlace, packed = kNoPlace;  ///< offsets in the arena
    bool packed_ready = false;
    std::vector<Patch> patches;     ///< inputs that are tensors
    std::vector<Patch> made;        ///< outputs that are tensors; of types_ if planned
    std::vector<ValueId> released;  ///< tensors that nobody uses any more
    Chain chain;             ///< of several steps: this entry and those behind it run tile by tile
    std::int64_t tiles = 0;  ///< of this step in a tile of its chain
    std::int64_t all_tiles = 0;
    PlanStep info;
  };

 private:
  friend class PlanBuilder;
  friend class PlanPlacement;
  struct Frame;  // the memory of one run
  class FrameLease;

  Plan();
  std::unique_ptr<Frame> take_frame() const;
  void give_back(std::unique_ptr<Frame> frame) const;
  Status bind(Frame& frame, BufferPool& buffers, std::span<const Tensor> inputs) const;
  Status run_entry(const Entry& entry, Frame& frame, RunContext& context, StepPhases* phases) const;
  Status run_timed(const Entry& entry, Frame& frame, RunContext& context) const;
  Result<StepCall> bind_step(const Entry& entry, Frame& frame, RunContext& context,
                             StepPhases* phases) const;
  Status run_chain(std::size_t first, Frame& frame, RunContext& context) const;
  Status run_operator(const Entry& entry, Frame& frame, RunContext& context) const;
  const Tensor& tensor_of(const Frame& frame, ValueId id) const;
  std::vector<Tensor> collect(const Frame& frame) const;

  const Graph* graph_ = nullptr;
  std::vector<Entry> entries_;
  // Per value of the graph, and of those that are versions of these in another layout.
  std::vector<std::optional<TensorType>> types_;  // but of constants; where known
  std::vector<const Tensor*> constants_;          // null: none
  std::vector<std::unique_ptr<const Tensor>> folded_;
  std::vector<const void*> pointers_;  // the first state of Frame::pointers
  std::vector<ArenaSlot> arena_slots_;
  std::size_t arena_bytes_ = 0;

  mutable std::atomic<std::uint64_t> used_{0};
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Frame>> idle_;
};

}  // namespace pbatch
