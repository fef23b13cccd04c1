#include "tools/io/npy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "feed/convert.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

// A .npy file as NumPy's documentation describes it, byte by byte.
std::string npy(const std::string& dict, const std::string& body, char version = 1) {
  std::string out = "\x93NUMPY";
  out += version;
  out += '\0';
  const std::string header = dict + "\n";
  out += static_cast<char>(header.size() & 0xff);
  out += static_cast<char>(header.size() >> 8);
  if (version > 1) out += std::string(2, '\0');
  return out + header + body;
}

std::string dict(const std::string& descr, const std::string& shape, const char* order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  std::string out;
  for (const T v : values) out.append(reinterpret_cast<const char*>(&v), sizeof v);
  return out;
}

class Npy : public testing::Scratch {
 protected:
  ErrorCode code_of(const std::string& bytes) {
    const Status status = read_npy(write("a.npy", bytes)).status();
    if (!status.is_ok()) {
      EXPECT_FALSE(status.remedy().empty()) << status.to_line();
      EXPECT_EQ(status.file(), path("a.npy"));
    }
    return status.code();
  }
};

TEST_F(Npy, ReadsFloatsOfEveryVersion) {
  for (const char version : {'\1', '\2', '\3'}) {
    const auto t = read_npy(
        write("a.npy", npy(dict("<f4", "(2, 3)"), bytes_of<float>({1, 2, 3, 4, 5, -6}), version)));
    ASSERT_TRUE(t) << t.status().to_line();
    EXPECT_EQ(t->shape(), (Shape{2, 3}));
    EXPECT_EQ(t->dtype(), DType::f32);
    EXPECT_EQ(t->data<float>()[5], -6.0F);
  }
}

TEST_F(Npy, ReadsEveryType) {
  const struct {
    const char* descr;
    std::string body;
    DType type;
    double value;
  } cases[] = {
      {"<f8", bytes_of<double>({-1.5}), DType::f64, -1.5},
      {"<f2", std::string("\x00\xc1", 2), DType::f16, -2.5},  // 1 10000 0100000000
      {"|i1", "\xff", DType::i8, -1},
      {"|u1", "\xff", DType::u8, 255},
      {"<i2", bytes_of<std::int16_t>({-300}), DType::i16, -300},
      {"<u2", bytes_of<std::uint16_t>({65535}), DType::u16, 65535},
      {"<i4", bytes_of<std::int32_t>({-70000}), DType::i32, -70000},
      {"<u4", bytes_of<std::uint32_t>({4000000000}), DType::u32, 4e9},
      {"<i8", bytes_of<std::int64_t>({-5000000000}), DType::i64, -5e9},
      {"|b1", "\x01", DType::boolean, 1},
      {">f4", std::string("\x3f\x80\x00\x00", 4), DType::f32, 1},
      {">i2", std::string("\x01\x02", 2), DType::i16, 258},
  };
  for (const auto& c : cases) {
    const auto t = read_npy(write("a.npy", npy(dict(c.descr, "(1,)"), c.body)));
    ASSERT_TRUE(t) << c.descr << t.status().to_line();
    EXPECT_EQ(t->dtype(), c.type) << c.descr;
    EXPECT_EQ(element_as_double(*t, 0), c.value) << c.descr;
  }
}

TEST_F(Npy, TurnsFortranOrder) {
  // numpy.array([[1, 2, 3], [4, 5, 6]]) lies as 1 4 2 5 3 6.
  const auto t = read_npy(write(
      "a.npy", npy(dict("<i4", "(2, 3)", "True"), bytes_of<std::int32_t>({1, 4, 2, 5, 3, 6}))));
  ASSERT_TRUE(t) << t.status().to_line();
  for (std::int32_t i = 0; i < 6; ++i) EXPECT_EQ(t->data<std::int32_t>()[i], i + 1);
  // Element [i][j][k] of shape (2, 2, 2) lies at i + 2 j + 4 k.
  const auto cube = read_npy(
      write("a.npy", npy(dict("|u1", "(2, 2, 2)", "True"), std::string("\0\1\2\3\4\5\6\7", 8))));
  ASSERT_TRUE(cube);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(cube->data<std::uint8_t>()[i], (i >> 2) + 2 * (i >> 1 & 1) + 4 * (i & 1));
  }
}

TEST_F(Npy, ReadsGzip) {
  const auto t =
      read_npy(write_gz("a.npy.gz", npy(dict("<f4", "(3,)"), bytes_of<float>({7, 8, 9}))));
  ASSERT_TRUE(t) << t.status().to_line();
  EXPECT_EQ(t->data<float>()[2], 9.0F);
}

TEST_F(Npy, ReadsScalarsAndEmptyArrays) {
  const auto scalar = read_npy(write("a.npy", npy(dict("<f4", "()"), bytes_of<float>({3}))));
  ASSERT_TRUE(scalar);
  EXPECT_EQ(scalar->rank(), 0U);
  const auto empty = read_npy(write("a.npy", npy(dict("<f4", "(0, 5)"), "")));
  ASSERT_TRUE(empty) << empty.status().to_line();
  EXPECT_EQ(empty->size(), 0);
}

TEST_F(Npy, RefusesDamage) {
  const std::string good = npy(dict("<f4", "(2,)"), bytes_of<float>({1, 2}));
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_EQ(code_of(good.substr(0, cut)), ErrorCode::malformed) << cut;
  }
  EXPECT_EQ(code_of(good + "x"), ErrorCode::malformed);
  EXPECT_EQ(code_of("PK\3\4 not an array at all"), ErrorCode::malformed);
  EXPECT_EQ(code_of(npy("", "")), ErrorCode::malformed);
  EXPECT_EQ(code_of(npy("{'descr': '<f4', 'shape': (1,)}", "abcd")), ErrorCode::malformed);
  EXPECT_EQ(code_of(npy(dict("<f4", "(1,)", "Maybe"), "abcd")), ErrorCode::malformed);
  EXPECT_EQ(code_of(npy(dict("<f4", "(-1,)"), "abcd")), ErrorCode::malformed);
  EXPECT_EQ(code_of(npy(dict("<f4", "(1"), "abcd")), ErrorCode::malformed);
  EXPECT_EQ(code_of(npy(dict("<f4", "(1,)") + " import os", "abcd")), ErrorCode::malformed);
  EXPECT_EQ(code_of(npy(dict("<f4", "(1,)"), "abcd", 9)), ErrorCode::unsupported);
}

TEST_F(Npy, RefusesTypesItDoesNotKnow) {
  for (const char* descr : {"|O", "<c8", "<M8[ns]", "|S5", "<f16", "f4", ""}) {
    EXPECT_EQ(code_of(npy(dict(descr, "(1,)"), "abcdefgh")), ErrorCode::unsupported) << descr;
  }
  EXPECT_EQ(
      code_of(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd")),
      ErrorCode::unsupported);
}

TEST_F(Npy, AllocatesNothingForAClaim) {
  for (const char* shape : {"(1000000000000,)", "(4611686018427387904, 4)",
                            "(99999999999999999999,)", "(2147483648, 2147483648, 2)", "(3,)"}) {
    EXPECT_NE(code_of(npy(dict("<f4", shape), "abcdefgh")), ErrorCode::ok) << shape;
  }
  // The same behind gzip: 2^40 bytes cannot come out of a hundred.
  const Status status =
      read_npy(write_gz("a.npy.gz", npy(dict("|u1", "(1099511627776,)"), "abc"))).status();
  EXPECT_EQ(status.code(), ErrorCode::malformed);
}

TEST_F(Npy, RefusesDamagedGzip) {
  const std::string good =
      read(write_gz("a.gz", npy(dict("|u1", "(4000,)"), std::string(4000, 'q'))));
  EXPECT_EQ(code_of(good.substr(0, good.size() / 2)), ErrorCode::malformed);
  EXPECT_EQ(code_of(good.substr(0, good.size() - 4)), ErrorCode::malformed);
  std::string flipped = good;
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 0x40);  // CRC
  EXPECT_EQ(code_of(flipped), ErrorCode::malformed);
}

TEST_F(Npy, RefusesWhatIsNoFile) {
  EXPECT_EQ(read_npy(path("absent.npy")).status().code(), ErrorCode::not_found);
  EXPECT_EQ(read_npy(folder_.string()).status().code(), ErrorCode::io);
}

TEST_F(Npy, WritesWhatNumPyReads) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  const auto t = Tensor::from_floats({2, 3}, values);
  ASSERT_TRUE(t);
  const auto bytes = encode_npy(*t);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t header = static_cast<unsigned char>((*bytes)[8]) |
                             static_cast<std::size_t>(static_cast<unsigned char>((*bytes)[9])) << 8;
  EXPECT_EQ((10 + header) % 64, 0U);
  EXPECT_EQ((*bytes)[10 + header - 1], '\n');
  EXPECT_NE(bytes->find("'shape': (2, 3)"), std::string::npos);
  EXPECT_EQ(std::memcmp(bytes->data() + 10 + header, values, sizeof values), 0);
  EXPECT_EQ(bytes->size(), 10 + header + sizeof values);
  const auto vector = encode_npy(t->reshaped({6}));
  EXPECT_NE(vector->find("'shape': (6, )"), std::string::npos);
  const auto back = read_npy(write("b.npy", *bytes));
  ASSERT_TRUE(back) << back.status().to_line();
  EXPECT_EQ(back->shape(), (Shape{2, 3}));
}

}  // namespace
}  // namespace pbatch
