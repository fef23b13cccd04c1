// A network of bit-layers -> IntegerProgram.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "integer/integer_program.h"
#include "run/program.h"

namespace pbatch {

/// The attribute of an operator with bit-layers that holds what its input was seen to be: least,
/// greatest, and the magnitude at which 8 bits are limited.
inline constexpr const char* kInputRange = "input_range";
/// Metadata of a model, with the name of a float input behind: "least,greatest".
inline constexpr const char* kInputRangeKey = "pbatch.input_range.";

/// For inputs of these types, at the widths of context.precision. unsupported, naming the node, for
/// what has no integer form; invalid_argument where a scale is missing, saying how to give it.
Result<std::shared_ptr<const IntegerProgram>> build_integer_program(const Program& program,
                                                                    RunContext& context,
                                                                    std::span<const Tensor> inputs);

}  // namespace pbatch
