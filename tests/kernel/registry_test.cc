#include "kernel/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace pbatch {
namespace {

TEST(Registry, ReferenceComesFirst) {
  ASSERT_FALSE(all_kernels().empty());
  EXPECT_STREQ(all_kernels()[0].name, "reference");
  EXPECT_EQ(all_kernels()[0].isa, Isa::generic);
  EXPECT_EQ(all_kernels()[0].layout, kLayoutNibbles);
}

TEST(Registry, NamesAreUniqueAndEndInTheirIsa) {
  std::set<std::string> names;
  for (const BitKernel& kernel : all_kernels().subspan(1)) {
    const std::string name = kernel.name;
    EXPECT_TRUE(names.insert(name).second) << name;
    const std::string suffix = std::string("_") + isa_name(kernel.isa);
    ASSERT_GT(name.size(), suffix.size());
    EXPECT_EQ(name.substr(name.size() - suffix.size()), suffix);
    EXPECT_EQ(find_kernel(name), &kernel);
  }
}

TEST(Registry, UnknownNameIsNull) {
  EXPECT_EQ(find_kernel("no_such_kernel"), nullptr);
  EXPECT_EQ(find_kernel(""), nullptr);
}

TEST(Registry, PackerIsTheBestNotAboveTheIsa) {
  for (const ActivationPacker& packer : all_packers()) {
    EXPECT_STREQ(packer_for(packer.isa, packer.layout).name, packer.name);
  }
  for (const BitKernel& kernel : all_kernels()) {
    const ActivationPacker& packer = packer_for(Isa::generic, kernel.activations);
    EXPECT_EQ(packer.isa, Isa::generic);
    EXPECT_EQ(packer.layout, kernel.activations);
    EXPECT_TRUE(IsaChoice(kernel.isa).runs(packer_for(kernel.isa, kernel.activations).isa));
  }
}

TEST(Registry, QuantizerIsTheBestNotAboveTheIsa) {
  for (const ActivationQuantizer& quantizer : all_quantizers()) {
    EXPECT_STREQ(quantizer_for(quantizer.isa).name, quantizer.name);
  }
  for (const BitKernel& kernel : all_kernels()) {
    EXPECT_TRUE(IsaChoice(kernel.isa).runs(quantizer_for(kernel.isa).isa));
  }
}

}  // namespace
}  // namespace pbatch
