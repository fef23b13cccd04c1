// What the operators of control flow share: a network to run, its condition, its slices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "op/op.h"
#include "run/program.h"

namespace pbatch {

/// A subgraph of a node as a program.
class Subprogram {
 public:
  /// Builds the operators of subgraph `attribute`. Precondition: check_control_flow() passed.
  static Result<Subprogram> create(const Node& node, const std::string& attribute);

  /// Runs it on `inputs` and behind them the values that the node captures, which are the last
  /// of `node_inputs`.
  Result<std::vector<Tensor>> run(const RunContext& context, std::vector<Tensor> inputs,
                                  std::span<const Tensor* const> node_inputs) const;

  /// The types that run() gives the program if its first inputs have `own`; none if one is not
  /// known. `node_inputs`: those of the node, empty if nothing is known.
  ProgramInputs on(std::vector<std::optional<TensorType>> own,
                   std::span<const std::optional<TensorType>> node_inputs) const;

  Program& program() { return program_; }
  const Program& program() const { return program_; }
  /// Rank that input i declares; none if it declares no shape.
  std::optional<std::size_t> input_rank(std::size_t i) const;
  /// What output i would be without any of its elements: type and shape as declared, unknown
  /// dimensions 0.
  const Value& output(std::size_t i) const;

 private:
  explicit Subprogram(Program program, std::size_t captures)
      : program_(std::move(program)), captures_(captures) {}

  Program program_;
  std::size_t captures_;
};

/// The value of a tensor that must be one bool; `what` names it in messages.
Result<bool> read_condition(const Tensor& tensor, const char* what);

/// An error if a value that goes around in `operator` does not come back in the type it had.
Status expect_kept_type(const Tensor& before, const Tensor& after, std::size_t index);

}  // namespace pbatch
