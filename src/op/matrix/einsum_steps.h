// What an Einsum does once shapes are known: copies, sums and matrix products, one after the other.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "op/scratch.h"
#include "op/step.h"

namespace pbatch {

/// One label per dimension. Those of an ellipsis are digits: '0' is the last.
using EinsumLabels = std::string;

/// Those of `labels` that `wanted` has, or lacks, each once.
EinsumLabels labels_in(const EinsumLabels& labels, const EinsumLabels& wanted);
EinsumLabels labels_not_in(const EinsumLabels& labels, const EinsumLabels& wanted);

/// Where the elements of an operand are.
struct EinsumPlace {
  enum class Memory { input, scratch, output };
  Memory memory = Memory::input;
  std::size_t at = 0;  ///< number of the input, or offset
};

/// Row-major; strides of a label that comes twice add up.
struct EinsumOperand {
  EinsumPlace place;
  Shape shape;
  EinsumLabels labels;
};

class EinsumSteps {
 public:
  /// Takes note of the operand's dimensions; false if one has another size already. 1 fits all.
  bool add_sizes(const EinsumOperand& x);
  bool has(char label) const { return sizes_.count(label) != 0; }

  /// a b summed over the labels that `kept` lacks, as a stack of matrix products.
  Result<EinsumOperand> multiply(const EinsumOperand& a, const EinsumOperand& b,
                                 const EinsumLabels& kept);
  /// The sum over the labels that `kept` lacks.
  Result<EinsumOperand> sum(const EinsumOperand& x, const EinsumLabels& kept);
  /// Puts `x` over `order` into the output, dimensions of 1 repeated; its type.
  Result<TensorType> finish(const EinsumOperand& x, const EinsumLabels& order);

  std::size_t scratch_bytes() const { return scratch_.bytes(); }
  void run(const StepCall& call) const {
    for (const auto& step : steps_) step(call);
  }

 private:
  Result<EinsumPlace> add_scratch(const Shape& shape);
  Result<EinsumOperand> arrange(const EinsumOperand& x, const EinsumLabels& order, Shape shape);
  Result<EinsumOperand> expand(const EinsumOperand& x, const EinsumLabels& order);
  void copy(const EinsumOperand& x, const EinsumLabels& order, const Shape& shape,
            const EinsumPlace& to);
  Shape shape_of(const EinsumLabels& labels) const;

  std::map<char, std::int64_t> sizes_;
  ScratchLayout scratch_;
  std::vector<std::function<void(const StepCall&)>> steps_;
};

}  // namespace pbatch
