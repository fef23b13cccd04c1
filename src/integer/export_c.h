// An integer program as C99 source that needs nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/buffer_pool.h"
#include "integer/integer_program.h"
#include "pbatch/integer.h"

namespace pbatch {

/// NAME.c, NAME.h, pbatch_steps.h, NAME_test.c with the codes that the program gives for made-up
/// inputs, and a Makefile. Precondition: `name` is a C identifier.
Result<std::vector<SourceFile>> export_c(const IntegerProgram& program, const std::string& name,
                                         BufferPool& buffers);

}  // namespace pbatch
