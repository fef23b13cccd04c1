#include "kernel/integer_tiles.h"

namespace pbatch {

extern const IntegerFns integer_generic;
const IntegerFns integer_generic = kIntegerFns;

}  // namespace pbatch
