// A network in integers: steps over arrays of codes, with all numbers decided.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "integer/format.h"
#include "kernel/integer_fns.h"
#include "pbatch/integer.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

class CWriter;

/// A value of the program: codes in the memory of a run, or constant ones.
struct IntegerValue {
  std::string name;
  Shape shape;
  IntegerFormat format;
  std::int64_t count = 0;
  std::int64_t place = 0;  ///< its first code in the memory of a run
  std::shared_ptr<const std::vector<std::int32_t>> constant;  ///< or null
};

struct IntegerCall {
  const IntegerFns& fns;
  const pb_stepper& stepper;      ///< the functions' own, with the threads of the run
  const std::int32_t* const* in;  ///< null: absent
  std::int32_t* const* out;       ///< null: nobody reads it
  void* scratch;                  ///< as the step says, aligned to 64 bytes
};

/// How the C export writes a step: what stands for its inputs, outputs and scratch.
struct IntegerNames {
  std::vector<std::string> in, out;
};

struct IntegerStep {
  std::string node, kind;
  std::vector<int> inputs, outputs;  ///< indices of values; -1: absent
  std::int64_t scratch_bytes = 0;    ///< of the exported C
  std::int64_t library_bytes = 0;    ///< of `run`, where it takes more
  std::function<void(const IntegerCall&)> run;
  std::function<void(CWriter&, const IntegerNames&)> write;
};

/// Codes of an input that are no number have a range, too: rows of a table, steps.
struct IndexCheck {
  int input = 0;
  std::int64_t least = 0, greatest = 0;
  std::string node;
};

/// Immutable once it is built; many threads may run it at once.
class IntegerProgram {
 public:
  /// Inputs in the order of the graph's, of the shapes that the program was made for: floats
  /// become codes here, and codes of outputs floats. Nothing between is a float.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs, BufferPool& buffers,
                                  ThreadPool& pool) const;
  /// The same in codes alone: what the C export computes.
  Result<std::vector<std::vector<std::int32_t>>> run_codes(
      std::span<const std::vector<std::int32_t>> inputs, BufferPool& buffers) const;
  /// The codes of one input, of its size.
  Status codes_of(std::size_t input, const Tensor& tensor, std::int32_t* codes) const;

  /// An input that nothing reads, before the one at that place.
  void insert_unread_input(std::size_t place, const Shape& shape);
  /// Codes of inputs that may come, for tests.
  std::vector<std::vector<std::int32_t>> random_codes(std::mt19937_64& random) const;

  const std::vector<IntegerValue>& values() const { return values_; }
  const std::vector<IntegerStep>& steps() const { return steps_; }
  const std::vector<int>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }
  const std::vector<AccumulatorBound>& bounds() const { return bounds_; }
  std::int64_t memory_codes() const { return memory_codes_; }
  std::int64_t scratch_bytes() const { return scratch_bytes_; }

 private:
  friend class IntegerBuilder;

  void place_values();
  std::shared_ptr<void> take_memory(BufferPool& buffers) const;
  Status out_of_memory() const;
  void run_steps(void* memory, ThreadPool* pool) const;
  const std::int32_t* address(int value, const std::int32_t* memory) const;

  std::string file_;
  const IntegerFns* fns_ = nullptr;
  std::vector<IntegerValue> values_;
  std::vector<IntegerStep> steps_;
  std::vector<int> inputs_, outputs_;
  std::vector<DType> output_types_;
  std::vector<AccumulatorBound> bounds_;
  std::vector<IndexCheck> checks_;
  std::int64_t memory_codes_ = 0, scratch_bytes_ = 0, library_bytes_ = 0;
  std::size_t most_operands_ = 0;  // of a step
};

}  // namespace pbatch
