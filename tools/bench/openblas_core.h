// Which of its kernels OpenBLAS took for this CPU.
#pragma once

namespace pbatch {

/// OpenBLAS releases older than a CPU take it for an ancient one and run several
/// times slower than they could. The value of the environment variable
/// OPENBLAS_CORETYPE that mends this, or null if there is nothing to mend. It
/// must be set before the program starts.
const char* better_openblas_core();

}  // namespace pbatch
