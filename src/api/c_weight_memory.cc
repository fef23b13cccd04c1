// The bound on prepared weights from C.
#include "pbatch/pbatch.h"
#include "pbatch/weight_memory.h"

extern "C" {

pbatch_weight_memory pbatch_get_weight_memory(void) {
  const pbatch::WeightMemory memory = pbatch::weight_memory();
  return {memory.bytes, memory.limit, memory.given_up};
}

void pbatch_limit_weight_memory(int64_t bytes) { pbatch::limit_weight_memory(bytes); }

}  // extern "C"
