#include "kernel/vector_loops.h"

namespace pbatch {

extern const VectorFns vectors_avx512;
const VectorFns vectors_avx512 = kVectorFns;

}  // namespace pbatch
