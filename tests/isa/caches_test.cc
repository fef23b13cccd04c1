#include "isa/caches.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "tests/support/scratch.h"

namespace pbatch {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

class Caches : public testing::Scratch {
 protected:
  CacheSizes sizes_of(const Files& files) const {
    const std::filesystem::path folder = path("cache");
    std::filesystem::remove_all(folder);
    for (const auto& [name, text] : files) {
      std::filesystem::create_directories((folder / name).parent_path());
      std::ofstream(folder / name) << text << '\n';
    }
    return read_cache_sizes(folder.string());
  }
};

TEST_F(Caches, SizesAreThoseOfTheSecondAndThirdLevel) {
  const CacheSizes sizes = sizes_of({{"index0/level", "1"},
                                     {"index0/size", "32K"},
                                     {"index1/level", "2"},
                                     {"index1/size", "512K"},
                                     {"index2/level", "3"},
                                     {"index2/size", "24M"},
                                     {"index2/shared_cpu_list", "0-3,8"}});
  EXPECT_EQ(sizes.l2, 512 * 1024);
  EXPECT_EQ(sizes.l3, 24 * 1024 * 1024);
}

TEST_F(Caches, FewCpusHaveAShareOfALargeCache) {
  const auto l3 = [this](const std::string& cpus) {
    return sizes_of({{"index3/level", "3"},
                     {"index3/size", "266240K"},
                     {"index3/shared_cpu_list", cpus}})
        .l3;
  };
  EXPECT_EQ(l3("0-1"), 32 << 20);
  EXPECT_EQ(l3("0,2,4-5"), 64 << 20);
  EXPECT_EQ(l3("0-63"), 260 << 20);
  EXPECT_EQ(l3(""), 16 << 20);
  EXPECT_EQ(l3("x"), 16 << 20);
}

TEST_F(Caches, WhatIsNotToldOrIsNoNumberIsTheDefault) {
  const CacheSizes usual;
  for (const std::string size : {"", "K", "-1K", "12T", "99999999999999999999K", "0K"}) {
    const CacheSizes sizes = sizes_of({{"index2/level", "2"}, {"index2/size", size}});
    EXPECT_EQ(sizes.l2, usual.l2) << size;
  }
  EXPECT_EQ(sizes_of({}).l3, usual.l3);
  EXPECT_EQ(
      sizes_of({{"index0/level", "2"}, {"index0/type", "Instruction"}, {"index0/size", "64K"}}).l2,
      usual.l2);
}

TEST_F(Caches, ThisMachinesAreOfThisWorld) {
  EXPECT_GE(cache_sizes().l2, 64 << 10);
  EXPECT_GE(cache_sizes().l3, 1 << 20);
}

}  // namespace
}  // namespace pbatch
