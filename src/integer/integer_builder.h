// A network of bit-layers -> IntegerProgram.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "integer/integer_program.h"
#include "run/program.h"

namespace pbatch {

/// The attribute of an operator with bit-layers that holds what its input was seen to be: least,
/// greatest, and the magnitude at which 8 bits are limited.
inline constexpr const char* kInputRange = "input_range";
/// Beside it: octaves from the mean of the input's logarithms to its greatest magnitude.
inline constexpr const char* kInputOctaves = "input_octaves";
/// Metadata of a model, with the name of a float input behind: "least,greatest".
inline constexpr const char* kInputRangeKey = "pbatch.input_range.";

/// Of a network with control flow the whole numbers that are fed alone, which decide what it is.
std::vector<std::int64_t> numbers_that_matter(const Graph& graph, std::span<const Tensor> inputs);

/// For inputs of these types, and these numbers_that_matter(), at the widths of context.precision.
/// unsupported, naming the node, for what has no integer form; invalid_argument where a scale is
/// missing, saying how to give it.
Result<std::shared_ptr<const IntegerProgram>> build_integer_program(const Program& program,
                                                                    RunContext& context,
                                                                    std::span<const Tensor> inputs);

}  // namespace pbatch
