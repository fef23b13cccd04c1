#include "kernel/vector_loops.h"

namespace pbatch {

extern const VectorFns vectors_avx2;
const VectorFns vectors_avx2 = kVectorFns;

}  // namespace pbatch
