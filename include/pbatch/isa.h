// The instruction sets this build knows and the one it uses.
#pragma once

#include <string>
#include <vector>

#include "pbatch/export.h"
#include "pbatch/status.h"

namespace pbatch {

/// Names of the instruction sets this build has kernels for, slowest first. Thread-safe.
PBATCH_API std::vector<std::string> compiled_isas();
/// The instruction set in use: the best this CPU runs, or the one that the
/// environment variable PBATCH_ISA names, which is read once a process. invalid_argument for an
/// unknown name, unsupported for one that this CPU cannot run: nothing falls back in silence.
/// Thread-safe.
PBATCH_API Result<std::string> active_isa();

}  // namespace pbatch
