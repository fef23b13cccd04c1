#include "kernel/vector_loops.h"

namespace pbatch {

extern const VectorFns vectors_generic;
const VectorFns vectors_generic = kVectorFns;

}  // namespace pbatch
