#include "tools/io/idx.h"

#include <gtest/gtest.h>

#include "feed/convert.h"
#include "tests/support/scratch.h"
#include "tools/io/array_file.h"

namespace pbatch {
namespace {

std::string big_endian(std::uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

std::string idx(char type, const std::vector<std::uint32_t>& dims, const std::string& body) {
  std::string out = {'\0', '\0', type, static_cast<char>(dims.size())};
  for (const std::uint32_t d : dims) out += big_endian(d);
  return out + body;
}

class Idx : public testing::Scratch {};

TEST_F(Idx, ReadsImages) {
  const auto t = read_idx(write("i", idx(8, {2, 1, 2}, std::string("\x00\x01\xfe\xff", 4))));
  ASSERT_TRUE(t) << t.status().to_line();
  EXPECT_EQ(t->shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(t->dtype(), DType::u8);
  EXPECT_EQ(t->data<std::uint8_t>()[2], 254);
}

TEST_F(Idx, ReadsEveryTypeBigEndian) {
  const struct {
    char type;
    std::string body;
    double value;
  } cases[] = {{9, "\xff", -1},
               {0x0b, std::string("\xff\xfe", 2), -2},
               {0x0c, std::string("\x00\x01\x00\x00", 4), 65536},
               {0x0d, std::string("\xc0\x00\x00\x00", 4), -2},
               {0x0e, std::string("\x3f\xf8\x00\x00\x00\x00\x00\x00", 8), 1.5}};
  for (const auto& c : cases) {
    const auto t = read_idx(write("i", idx(c.type, {1}, c.body)));
    ASSERT_TRUE(t) << t.status().to_line();
    EXPECT_EQ(element_as_double(*t, 0), c.value) << int{c.type};
  }
}

TEST_F(Idx, RefusesDamage) {
  const std::string good = idx(8, {2, 3}, "abcdef");
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_EQ(read_idx(write("i", good.substr(0, cut))).status().code(), ErrorCode::malformed);
  }
  for (const std::string& bad :
       {good + "x", idx(7, {1}, "a"), idx(0x0a, {1}, "a"), std::string("\1\0\x08\1", 4),
        idx(8, {0xffffffff, 0xffffffff}, "a"), idx(8, {0xffffffff, 0xffffffff, 0xffffffff}, "a"),
        idx(0x0e, std::vector<std::uint32_t>(255, 0xffffffff), "a")}) {
    EXPECT_FALSE(read_idx(write("i", bad)));
  }
  EXPECT_FALSE(read_idx(write_gz("i.gz", idx(8, {0xffffffff}, "a"))));
}

TEST_F(Idx, IsToldFromNpyByContent) {
  const auto images = read_array(write_gz("x.gz", idx(8, {1, 2}, "ab")));
  ASSERT_TRUE(images) << images.status().to_line();
  EXPECT_TRUE(images->idx);
  EXPECT_EQ(read_array(write("y", "no array")).status().code(), ErrorCode::malformed);
  EXPECT_EQ(read_array(write("y", "")).status().code(), ErrorCode::malformed);
}

}  // namespace
}  // namespace pbatch
