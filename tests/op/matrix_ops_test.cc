// Gemm, MatMul and pbatch.Linear against numbers worked out by hand and naive products.
#include <gtest/gtest.h>

#include "tests/support/networks.h"
#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

const Tensor kA = floats({2, 3}, {1, 2, 3, 4, 5, 6});
const Tensor kAT = floats({3, 2}, {1, 4, 2, 5, 3, 6});
const Tensor kB = floats({3, 2}, {1, 0, 2, 1, 0, 3});
const Tensor kBT = floats({2, 3}, {1, 2, 0, 0, 1, 3});
// A B = [[5, 11], [14, 23]]

ErrorCode code_of(OneOp op) { return op.run().status().code(); }

TEST(Gemm, MultipliesInEveryForm) {
  const std::vector<float> want{5, 11, 14, 23};
  for (const bool constant : {false, true}) {
    for (const FloatBackend backend :
         {FloatBackend::fastest, FloatBackend::onednn, FloatBackend::openblas}) {
      for (const bool ta : {false, true}) {
        for (const bool tb : {false, true}) {
          OneOp op("Gemm");
          op.attr("transA", std::int64_t{ta}).attr("transB", std::int64_t{tb}).backend(backend);
          op.input(ta ? kAT : kA);
          constant ? op.constant(tb ? kBT : kB) : op.input(tb ? kBT : kB);
          expect_near(op.result(), {2, 2}, want);
        }
      }
    }
  }
}

TEST(Gemm, AddsCInEveryShape) {
  const auto with_c = [](const Tensor& c, bool constant) {
    OneOp op("Gemm", 11);
    op.input(kA).constant(kB);
    constant ? op.constant(c) : op.input(c);
    return op.result();
  };
  for (const bool constant : {false, true}) {
    expect_near(with_c(floats({}, {1}), constant), {2, 2}, {6, 12, 15, 24});
    expect_near(with_c(floats({1}, {1}), constant), {2, 2}, {6, 12, 15, 24});
    expect_near(with_c(floats({2}, {1, 2}), constant), {2, 2}, {6, 13, 15, 25});
    expect_near(with_c(floats({1, 2}, {1, 2}), constant), {2, 2}, {6, 13, 15, 25});
    expect_near(with_c(floats({2, 1}, {1, 2}), constant), {2, 2}, {6, 12, 16, 25});
    expect_near(with_c(floats({2, 2}, {1, 2, 3, 4}), constant), {2, 2}, {6, 13, 17, 27});
  }
}

TEST(Gemm, ScalesWithAlphaAndBeta) {
  OneOp op("Gemm");
  op.attr("alpha", 0.5F).attr("beta", 2.0F).input(kA).constant(kB).constant(floats({2}, {1, 2}));
  expect_near(op.result(), {2, 2}, {4.5F, 9.5F, 9.0F, 15.5F});
}

TEST(Gemm, RefusesShapesThatDoNotFit) {
  EXPECT_EQ(code_of(OneOp("Gemm").input(kA).input(kA)), ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(OneOp("Gemm").input(floats({3}, {1, 2, 3})).input(kB)),
            ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(OneOp("Gemm").input(kA).constant(kB).input(floats({3}, {1, 2, 3}))),
            ErrorCode::shape_mismatch);
  // C may not make the result larger.
  EXPECT_EQ(code_of(OneOp("Gemm").input(kA).constant(kB).input(floats({1, 1, 1}, {1}))),
            ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(OneOp("Gemm").input(int64s({1})).input(kB)), ErrorCode::unsupported);
  EXPECT_EQ(code_of(OneOp("Gemm", 6).input(kA).input(kB)), ErrorCode::unsupported);
  EXPECT_EQ(code_of(OneOp("Gemm").input(kA)), ErrorCode::malformed);
}

TEST(Gemm, NamesBothShapes) {
  const std::string line = OneOp("Gemm").input(kA).constant(kA).run().status().to_line();
  EXPECT_NE(line.find("A [2, 3] does not multiply with B [2, 3]"), std::string::npos) << line;
}

TEST(MatMul, MultipliesMatricesAndVectors) {
  const Tensor v = floats({3}, {1, 1, 2});
  expect_near(OneOp("MatMul").input(kA).input(kB).result(), {2, 2}, {5, 11, 14, 23});
  expect_near(OneOp("MatMul").input(kA).constant(kB).result(), {2, 2}, {5, 11, 14, 23});
  expect_near(OneOp("MatMul").input(kA).input(v).result(), {2}, {9, 21});
  expect_near(OneOp("MatMul").input(v).input(kB).result(), {2}, {3, 7});
  expect_near(OneOp("MatMul").input(v).constant(kB).result(), {2}, {3, 7});
  expect_near(OneOp("MatMul").input(v).input(v).result(), {}, {6});
}

TEST(MatMul, BroadcastsStacks) {
  const Shape a_shape{2, 1, 3, 4}, b_shape{5, 4, 2};
  const std::vector<float> a = random_floats(24, 1), b = random_floats(40, 2);
  std::vector<float> want;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 5; ++j) {
      for (std::size_t m = 0; m < 3; ++m) {
        for (std::size_t n = 0; n < 2; ++n) {
          float sum = 0;
          for (std::size_t k = 0; k < 4; ++k) sum += a[i * 12 + m * 4 + k] * b[j * 8 + k * 2 + n];
          want.push_back(sum);
        }
      }
    }
  }
  for (const int threads : {1, 2, 16}) {
    expect_near(OneOp("MatMul")
                    .threads(threads)
                    .input(floats(a_shape, a))
                    .input(floats(b_shape, b))
                    .result(),
                {2, 5, 3, 2}, want);
  }
}

TEST(MatMul, HandlesNothing) {
  expect_near(OneOp("MatMul").input(floats({0, 3}, {})).input(kB).result(), {0, 2}, {});
  expect_near(OneOp("MatMul").input(floats({2, 0}, {})).input(floats({0, 2}, {})).result(), {2, 2},
              {0, 0, 0, 0});
}

TEST(MatMul, RefusesShapesThatDoNotFit) {
  EXPECT_EQ(code_of(OneOp("MatMul").input(kA).input(kA)), ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(OneOp("MatMul").input(kA).constant(kA)), ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(OneOp("MatMul").input(floats({}, {1})).input(kA)), ErrorCode::shape_mismatch);
  EXPECT_EQ(
      code_of(OneOp("MatMul").input(floats({2, 1, 1}, {1, 1})).input(floats({3, 1, 1}, {1, 1, 1}))),
      ErrorCode::shape_mismatch);
}

TEST(Linear, AddsTheBiasAndAppliesRelu) {
  const auto linear = [](FloatBackend backend) {
    OneOp op("Linear", 1, "pbatch");
    op.backend(backend).input(floats({1, 2, 3}, {1, 2, 3, 4, 5, 6})).constant(kB);
    return op;
  };
  for (const FloatBackend backend :
       {FloatBackend::fastest, FloatBackend::onednn, FloatBackend::openblas}) {
    expect_near(linear(backend).result(), {1, 2, 2}, {5, 11, 14, 23});
    expect_near(linear(backend).constant(floats({2}, {-6, 1})).result(), {1, 2, 2},
                {-1, 12, 8, 24});
    OneOp relu = linear(backend).constant(floats({2}, {-6, 1}));
    expect_near(relu.attr("activation", std::string("relu")).result(), {1, 2, 2}, {0, 12, 8, 24});
  }
}

TEST(Linear, RefusesWhatDoesNotFit) {
  const auto linear = [] { return OneOp("Linear", 1, "pbatch"); };
  EXPECT_EQ(code_of(linear().input(kB).constant(kB)), ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(linear().input(kA).input(kB)), ErrorCode::malformed);
  EXPECT_EQ(code_of(linear().input(kA).constant(kB).constant(floats({3}, {1, 2, 3}))),
            ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(linear().input(kA).constant(kB).attr("activation", std::string("tanh"))),
            ErrorCode::unsupported);
}

TEST(Det, MultipliesThePivots) {
  expect_near(OneOp("Det").input(floats({2, 2}, {0, 2, 3, 4})).result(), {}, {-6});
  expect_near(OneOp("Det").input(floats({2, 2, 2}, {1, 2, 2, 4, 5, 0, 0, 2})).result(), {2},
              {0, 10});
  expect_near(OneOp("Det").input(floats({2, 0, 0}, {})).result(), {2}, {1, 1});
  EXPECT_EQ(code_of(OneOp("Det").input(kA)), ErrorCode::shape_mismatch);
  EXPECT_EQ(code_of(OneOp("Det").input(floats({2}, {1, 2}))), ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
