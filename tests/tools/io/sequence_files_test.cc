// Token streams and sequence pairs, as files hold them.
#include "tests/support/networks.h"
#include "tests/support/scratch.h"
#include "tools/io/npy.h"
#include "tools/io/sequence_pairs.h"
#include "tools/io/token_streams.h"

namespace pbatch {
namespace {

using testing::Scratch;

class SequenceFilesTest : public Scratch {
 protected:
  std::string npy(const Shape& shape, const std::vector<std::int64_t>& values) {
    auto t = Tensor::create(DType::i64, shape);
    std::copy(values.begin(), values.end(), t->mutable_data<std::int64_t>());
    return write("t.npy", *encode_npy(*t));
  }
  void expect_bad(const std::string& file, std::int64_t streams, const std::string& part) {
    const auto r = read_token_streams(file, streams);
    ASSERT_FALSE(r);
    EXPECT_NE(r.status().to_line().find(part), std::string::npos) << r.status().to_line();
    EXPECT_EQ(r.status().file(), file);
  }
};

using Tokens = std::vector<std::int64_t>;

TEST_F(SequenceFilesTest, TextAndArraysAreCutIntoStreams) {
  for (const std::string& file :
       {write("t.txt", " 1 2\n3\t4\r\n5 6 7"), write_gz("t.txt.gz", "1 2 3 4 5 6 7\n"),
        npy({7}, {1, 2, 3, 4, 5, 6, 7})}) {
    const auto one = read_token_streams(file, 0);
    ASSERT_TRUE(one) << one.status().to_line();
    EXPECT_EQ(one->streams, 1);
    EXPECT_EQ(one->tokens, (Tokens{1, 2, 3, 4, 5, 6, 7}));
    const auto three = read_token_streams(file, 3);
    ASSERT_TRUE(three);
    EXPECT_EQ(three->length, 2);
    EXPECT_EQ(three->tokens, (Tokens{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(three->at(2, 1), 6);
  }
}

TEST_F(SequenceFilesTest, RowsAreStreamsAndLimitsCutThem) {
  const std::string file = npy({2, 3}, {1, 2, 3, 4, 5, 6});
  auto rows = read_token_streams(file, 0);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->streams, 2);
  EXPECT_EQ(rows->length, 3);
  EXPECT_TRUE(read_token_streams(file, 2));
  expect_bad(file, 3, "2 streams, one in each row, not 3");
  rows->limit(2);
  EXPECT_EQ(rows->tokens, (Tokens{1, 2, 4, 5}));
  EXPECT_EQ(rows->at(1, 0), 4);
  rows->limit(0);
  rows->limit(99);
  EXPECT_EQ(rows->length, 2);
}

TEST_F(SequenceFilesTest, RefusesWhatHoldsNoTokens) {
  expect_bad(write("empty.txt", ""), 0, "0 tokens");
  expect_bad(write("one.txt", "7"), 0, "1 tokens");
  expect_bad(write("short.txt", "1 2 3"), 2, "nothing to predict");
  expect_bad(write("words.txt", "1 2 three"), 0, "'three'");
  expect_bad(write("real.txt", "1 2.5"), 0, "'2.5'");
  expect_bad(write("large.txt", "99999999999999999999"), 0, "64 bits");
  expect_bad(write("f.npy", *encode_npy(testing::tensor_of({2}, {1, 2}))), 0, "float32");
  expect_bad(npy({1, 1, 2}, {1, 2}), 0, "[1, 1, 2]");
  expect_bad(npy({0}, {}), 0, "0 tokens");
  expect_bad(path("absent"), 0, "cannot open");
}

TEST_F(SequenceFilesTest, PairsOfLines) {
  const auto pairs = read_sequence_pairs(write("p.tsv", "1 2\t3\n\n4\t5 6\t\t7\r\n"));
  ASSERT_TRUE(pairs) << pairs.status().to_line();
  ASSERT_EQ(pairs->size(), 2U);
  EXPECT_EQ((*pairs)[0].source, (Tokens{1, 2}));
  EXPECT_EQ((*pairs)[0].references, (std::vector<Tokens>{{3}}));
  EXPECT_EQ((*pairs)[1].references, (std::vector<Tokens>{{5, 6}, {}, {7}}));
  EXPECT_EQ((*pairs)[1].line, 3U);
}

TEST_F(SequenceFilesTest, BadPairsNameTheirLine) {
  const auto line = [&](const std::string& text) {
    const auto r = read_sequence_pairs(write("p.tsv", text));
    EXPECT_FALSE(r);
    return r.status().message();
  };
  EXPECT_EQ(line("1\t2\n3\n").rfind("line 2: no reference", 0), 0U);
  EXPECT_EQ(line("\t2\n").rfind("line 1: no source", 0), 0U);
  EXPECT_EQ(line("1\tx\n").rfind("line 1: 'x'", 0), 0U);
  EXPECT_NE(line("\n \n").find("no pairs"), std::string::npos);
  EXPECT_NE(line("").find("no pairs"), std::string::npos);
}

}  // namespace
}  // namespace pbatch
