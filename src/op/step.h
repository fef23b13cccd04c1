// One node of a plan: types and settings are decided, only the elements are still to come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "pbatch/plan.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"
#include "product/image_layout.h"
#include "product/packed_vectors.h"
#include "product/step_timings.h"

namespace pbatch {

struct RunContext;

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

/// What a step is given in one run.
struct StepCall {
  const void* const* in = nullptr;  ///< the elements of every input; null if absent
  void* const* out = nullptr;       ///< memory for the elements of every output; null if unused
  void* scratch = nullptr;          ///< StepPlan::scratch_bytes, 64-byte aligned
  void* packed = nullptr;           ///< StepPlan::packed's bytes if other steps share them; or null
  bool packed_ready = false;        ///< they are filled in
  ThreadPool& pool;
  BufferPool& buffers;
  StepPhases* phases = nullptr;  ///< where a product says what its parts took; or null

  template <class T>
  const T* input(std::size_t i) const {
    return static_cast<const T*>(in[i]);
  }
  template <class T>
  T* output(std::size_t i) const {
    return static_cast<T*>(out[i]);
  }
};

/// How output 0 can be made in tiles of as many elements each, in any order and by any threads.
struct Tiling {
  std::int64_t tiles = 0;
  std::int64_t tile = 1;      ///< elements of output 0, in the order in which they lie
  std::int64_t grain = 1;     ///< tiles that are worth a thread
  std::uint32_t aligned = 1;  ///< bit i: a tile reads only the same elements of input i, which has
                              ///< as many as the output
};

/// Which elements of a value a tensor consists of, where it is a copy of some in another order:
/// element (i, j, ...) is the one at offset + i * strides[0] + j * strides[1] + ...
struct ElementView {
  std::vector<std::int64_t> strides;
  std::int64_t offset = 0;
};

/// Immutable, but for what guards itself: many threads may be in run() at once.
class Step {
 public:
  virtual ~Step() = default;
  virtual Status run(const StepCall& call) const = 0;
  /// Tiles begin .. end - 1 of what run() does, on the calling thread. Only where
  /// StepPlan::tiling says how many there are.
  virtual Status run_tiles(const StepCall& call, std::int64_t begin, std::int64_t end) const;
};

/// Computes first and then knows what its outputs are, which it allocates: inputs[i] is null for an
/// absent one, every outputs[i] is written.
using AllocatingStep = std::function<Status(
    RunContext& context, std::span<const Tensor* const> inputs, std::span<Tensor> outputs)>;

/// How an operator computes a node once its input types are known.
struct StepPlan {
  /// The output types depend on elements that are not known yet: the node is planned again when its
  /// turn in the run comes and they are.
  static StepPlan not_yet() { return {}; }
  /// The output types depend on what is computed.
  static StepPlan allocating(AllocatingStep step);
  /// The elements of input `alias_of` under the shape of output 0. Nothing runs.
  static StepPlan alias(TensorType output, std::size_t alias_of = 0);
  /// Output 0 is this tensor. Nothing runs.
  static StepPlan constant(Tensor value);
  /// run(const StepCall&) returns a Status.
  template <class Run>
  static StepPlan of(std::vector<TensorType> outputs, Run run);
  template <class Run>
  static StepPlan of(TensorType output, Run run) {
    std::vector<TensorType> outputs;
    outputs.push_back(std::move(output));
    return of(std::move(outputs), std::move(run));
  }
  /// run(const StepCall&, begin, end) makes these tiles and returns a Status.
  template <class Run>
  static StepPlan tiled(TensorType output, const Tiling& tiling, Run run);
  /// Output 0 may take the place of input `i`, if that is as large: the step reads no element of
  /// input i after it wrote the one in its place.
  StepPlan&& in_place_of(std::size_t i) &&;

  /// Output 0 lies so; only where PlanRequest::layouts_may_differ.
  StepPlan&& in_layout(Layout layout) &&;

  bool is_planned() const { return !outputs.empty(); }

  std::vector<TensorType> outputs;  ///< as many as the node's
  std::unique_ptr<Step> step;
  AllocatingStep allocates;
  std::optional<std::size_t> alias_of;
  std::optional<Tensor> value;
  std::optional<std::size_t> overwrites;
  std::optional<Tiling> tiling;
  std::optional<ElementView> view;  ///< output 0 is a copy of these elements of input 0
  Layout layout = Layout::plain;    ///< of all outputs that can have another
  std::size_t scratch_bytes = 0;
  /// The step quantizes all vectors of input 0: steps that pack one input alike share the result.
  std::optional<PackedKey> packed;
  PlanStep info;  ///< kernel, bits and bytes, for operators with a matrix
};

template <class Run>
class StepOf final : public Step {
 public:
  explicit StepOf(Run run) : run_(std::move(run)) {}
  Status run(const StepCall& call) const override { return run_(call); }

 private:
  Run run_;
};

/// The error of the tile that failed first, whichever thread ran it.
class FirstError {
 public:
  void set(Status error) {
    const std::lock_guard lock(mutex_);
    if (error_.is_ok()) error_ = std::move(error);
  }
  Status take() { return std::move(error_); }

 private:
  std::mutex mutex_;
  Status error_;
};

template <class Run>
class TiledStep final : public Step {
 public:
  TiledStep(const Tiling& tiling, Run run) : tiling_(tiling), run_(std::move(run)) {}

  Status run(const StepCall& call) const override {
    FirstError error;
    call.pool.parallel_for(tiling_.tiles, tiling_.grain, [&](std::int64_t begin, std::int64_t end) {
      if (Status s = run_(call, begin, end); !s) error.set(std::move(s));
    });
    return error.take();
  }
  Status run_tiles(const StepCall& call, std::int64_t begin, std::int64_t end) const override {
    return run_(call, begin, end);
  }

 private:
  Tiling tiling_;
  Run run_;
};

template <class Run>
StepPlan StepPlan::tiled(TensorType output, const Tiling& tiling, Run run) {
  StepPlan plan;
  plan.outputs.push_back(std::move(output));
  plan.step = std::make_unique<TiledStep<Run>>(tiling, std::move(run));
  plan.tiling = tiling;
  return plan;
}

template <class Run>
StepPlan StepPlan::of(std::vector<TensorType> outputs, Run run) {
  StepPlan plan;
  plan.outputs = std::move(outputs);
  plan.step = std::make_unique<StepOf<Run>>(std::move(run));
  return plan;
}

}  // namespace pbatch
