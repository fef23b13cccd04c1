#include "plan/choose_kernel.h"

#include <gtest/gtest.h>

#include <string>

namespace pbatch {
namespace {

std::string chosen(const GemmShape& shape, Isa isa) { return choose_kernel(shape, isa).name; }

TEST(ChooseKernel, NamesTheKernelOfEachIsa) {
  const GemmShape vector = {4096, 4096, 1, 4, 16};
  EXPECT_EQ(chosen(vector, Isa::generic), "words_generic");
#if defined(__x86_64__)
  EXPECT_EQ(chosen(vector, Isa::avx2), "words_avx2");
  EXPECT_EQ(chosen(vector, Isa::avx512), "bytes_avx512");
#endif
}

TEST(ChooseKernel, NeverNamesTheReferenceNorAHigherIsa) {
  for (const BitKernel& any : all_kernels()) {
    for (const std::int64_t rows : {1, 16, 4096}) {
      for (const std::int64_t batch : {1, 2, 7, 64}) {
        for (int weight_bits = 1; weight_bits <= 16; ++weight_bits) {
          for (const int activation_bits : {8, 16, 32}) {
            const BitKernel& kernel =
                choose_kernel({rows, 300, batch, weight_bits, activation_bits}, any.isa);
            EXPECT_STRNE(kernel.name, "reference");
            EXPECT_LE(kernel.isa, any.isa);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace pbatch
