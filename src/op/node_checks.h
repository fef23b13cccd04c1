// What factories check before anything runs.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "op/data_checks.h"  // IWYU pragma: export
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

inline constexpr std::size_t kAnyCount = std::numeric_limits<std::size_t>::max();

/// An error unless the node has `required` to `most` inputs, the required ones
/// present, and 1 to `most_outputs` outputs. Operators rely on it in run().
Status check_arity(const Node& node, std::size_t required, std::size_t most,
                   std::size_t most_outputs = 1);

/// "input is float64, which Add does not take".
Status unsupported_type(const std::string& op_type, DType type);

/// An error unless both have one type.
Status expect_same_type(const std::string& op_type, DType a, DType b);

/// A list of integers that is an attribute in old opsets and an input in new ones.
class IntegerList {
 public:
  /// From attribute `name`, if the node has it.
  static Result<IntegerList> from_attribute(const Node& node, const char* name);
  /// From input `index`; read now if it is constant, else in every run.
  static Result<IntegerList> from_input(const Graph& graph, const Node& node, std::size_t index,
                                        const char* name);

  /// Whether the node has the attribute or input at all.
  bool present() const { return known_.has_value() || index_ != kAnyCount; }
  /// The values; none if not present().
  Result<std::optional<std::vector<std::int64_t>>> get(std::span<const Tensor* const> inputs) const;
  /// The values as far as they are known at load.
  const std::optional<std::vector<std::int64_t>>& known() const { return known_; }

 private:
  const char* name_ = "";
  std::size_t index_ = kAnyCount;
  std::optional<std::vector<std::int64_t>> known_;
};

/// The axes as ascending indices below `rank`; an error for one out of range or named twice.
Result<std::vector<std::size_t>> normalize_axes(const std::vector<std::int64_t>& axes,
                                                std::size_t rank);

}  // namespace pbatch
