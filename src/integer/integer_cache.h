// The integer programs of a session: one for each precision and shapes of inputs, the last few.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/recent.h"
#include "integer/integer_builder.h"
#include "op/step.h"
#include "pbatch/plan.h"

namespace pbatch {

/// Thread-safe.
class IntegerCache {
 public:
  Result<std::shared_ptr<const IntegerProgram>> get(const Program& program, RunContext& context,
                                                    std::span<const Tensor> inputs);

 private:
  struct Key {
    Precision precision;
    std::vector<TensorType> inputs;
    std::vector<std::int64_t> numbers;
    friend bool operator==(const Key&, const Key&) = default;
  };
  std::mutex mutex_;
  Recent<Key, IntegerProgram> recent_{8};
};

/// The steps of a program in the words of Session::plan; what is known of a node's matrix comes
/// from its plan in floats.
std::vector<PlanStep> list_integer_steps(const IntegerProgram& program,
                                         const std::vector<PlanStep>& in_floats);

}  // namespace pbatch
