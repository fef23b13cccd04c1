#include "plan/choose_kernel.h"

namespace pbatch {
namespace {

const char* best_name(const GemmShape& /*shape*/, Isa isa) {
  switch (isa) {
    case Isa::generic:
      return "words_generic";
#if defined(__x86_64__)
    case Isa::avx2:
      return "words_avx2";
    case Isa::avx512:
      return "bytes_avx512";
#endif
  }
  return "words_generic";
}

}  // namespace

const BitKernel& choose_kernel(const GemmShape& shape, Isa isa) {
  const BitKernel* kernel = find_kernel(best_name(shape, isa));
  // All of these are in kernels.inc; should one go, the portable kernel runs everything.
  return kernel != nullptr ? *kernel : *find_kernel("words_generic");
}

}  // namespace pbatch
