// Elementwise operators where ONNX's node tests do not reach: integers at their
// limits, NaN, broadcasting against a plain loop, threads, refusals.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
std::vector<T> elements(const Tensor& t) {
  const auto span = t.span<T>();
  return {span.begin(), span.end()};
}

template <class T>
Tensor integers(DType type, const std::vector<T>& values) {
  return make_tensor<T>(type, {static_cast<std::int64_t>(values.size())}, values);
}

ErrorCode error_of(OneOp& op) { return op.run().status().code(); }

TEST(FindOp, KnowsEveryOperatorThatNetworksNeed) {
  for (const char* name : {"Gemm",
                           "MatMul",
                           "Add",
                           "Sub",
                           "Mul",
                           "Div",
                           "Pow",
                           "Sqrt",
                           "Exp",
                           "Log",
                           "Erf",
                           "Neg",
                           "Abs",
                           "Reciprocal",
                           "Min",
                           "Max",
                           "Relu",
                           "LeakyRelu",
                           "Elu",
                           "Gelu",
                           "Sigmoid",
                           "Tanh",
                           "Softplus",
                           "HardSigmoid",
                           "HardSwish",
                           "Clip",
                           "Softmax",
                           "LogSoftmax",
                           "LayerNormalization",
                           "BatchNormalization",
                           "Conv",
                           "MaxPool",
                           "AveragePool",
                           "GlobalAveragePool",
                           "GlobalMaxPool",
                           "ReduceSum",
                           "ReduceMean",
                           "ReduceMax",
                           "ReduceMin",
                           "ArgMax",
                           "Reshape",
                           "Flatten",
                           "Transpose",
                           "Concat",
                           "Split",
                           "Slice",
                           "Squeeze",
                           "Unsqueeze",
                           "Gather",
                           "Expand",
                           "Pad",
                           "Where",
                           "Equal",
                           "Not",
                           "Cast",
                           "Shape",
                           "Size",
                           "ConstantOfShape",
                           "Constant",
                           "Identity",
                           "Dropout"}) {
    const Node node{.name = "n", .op_type = name, .opset = 20};
    EXPECT_TRUE(find_op(node)) << name;
  }
}

TEST(FindOp, NamesOperatorDomainOpsetAndRemedy) {
  const Status unknown = find_op({.op_type = "TfIdfVectorizer", .opset = 14}).status();
  EXPECT_EQ(unknown.code(), ErrorCode::unsupported);
  EXPECT_EQ(unknown.message(), "operator TfIdfVectorizer of ai.onnx, opset 14, is not supported");
  EXPECT_FALSE(unknown.remedy().empty());

  const Status random = find_op({.op_type = "RandomNormalLike", .opset = 14}).status();
  EXPECT_NE(random.remedy().find("feed the noise"), std::string::npos);
  const Status tree =
      find_op({.op_type = "TreeEnsembleRegressor", .domain = "ai.onnx.ml", .opset = 3}).status();
  EXPECT_NE(tree.remedy().find("trees"), std::string::npos);

  const Status foreign = find_op({.op_type = "Add", .domain = "com.example", .opset = 2}).status();
  EXPECT_EQ(foreign.message(), "operator Add of com.example, opset 2, is not supported");

  const Status early = find_op({.op_type = "Mish", .opset = 13}).status();
  EXPECT_EQ(early.code(), ErrorCode::unsupported);
  EXPECT_EQ(early.message(),
            "operator Mish of ai.onnx, opset 13, is not supported: it is known from opset 18 on");
}

TEST(Allocate, RefusesWhatNoMemoryHolds) {
  ThreadPool pool(1);
  BufferPool buffers;
  const Precision precision = Precision::f32();
  const RunContext context{pool, buffers, precision, FloatBackend::openblas};
  EXPECT_EQ(context.allocate(DType::f32, {std::int64_t{1} << 50}).status().code(),
            ErrorCode::out_of_memory);
  EXPECT_FALSE(context.allocate(DType::f32, {std::int64_t{1} << 62, 16}));
  EXPECT_FALSE(context.allocate(DType::f32, {-1}));
  const Result<Tensor> empty = context.allocate(DType::i64, {3, 0});
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->size(), 0);
}

TEST(Arithmetic, IntegersWrapAround) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(elements<std::int64_t>(OneOp("Add").input(int64s({kMax})).input(int64s({1})).result()),
            std::vector<std::int64_t>{kMin});
  EXPECT_EQ(elements<std::int64_t>(OneOp("Sub").input(int64s({kMin})).input(int64s({1})).result()),
            std::vector<std::int64_t>{kMax});
  EXPECT_EQ(elements<std::int64_t>(OneOp("Neg").input(int64s({kMin, 5})).result()),
            (std::vector<std::int64_t>{kMin, -5}));
  EXPECT_EQ(elements<std::int64_t>(OneOp("Abs").input(int64s({kMin, -5})).result()),
            (std::vector<std::int64_t>{kMin, 5}));
  // 65535 * 65535 overflows the int that unsigned short is promoted to.
  const Tensor big = integers<std::uint16_t>(DType::u16, {65535});
  EXPECT_EQ(elements<std::uint16_t>(OneOp("Mul").input(big).input(big).result()),
            std::vector<std::uint16_t>{1});
}

TEST(Arithmetic, IntegerDivisionTruncatesAndNeverTraps) {
  EXPECT_EQ(elements<std::int64_t>(
                OneOp("Div").input(int64s({7, -7, 7, -7})).input(int64s({2, 2, -2, -2})).result()),
            (std::vector<std::int64_t>{3, -3, -3, 3}));
  OneOp by_zero("Div");
  by_zero.input(int64s({1, 2, 3})).input(int64s({1, 0, 1}));
  EXPECT_EQ(error_of(by_zero), ErrorCode::invalid_argument);
  OneOp least64("Div");
  least64.input(int64s({std::numeric_limits<std::int64_t>::min()})).input(int64s({-1}));
  EXPECT_EQ(error_of(least64), ErrorCode::invalid_argument);
  OneOp least32("Div");
  least32.input(integers<std::int32_t>(DType::i32, {std::numeric_limits<std::int32_t>::min()}))
      .input(integers<std::int32_t>(DType::i32, {-1}));
  EXPECT_EQ(error_of(least32), ErrorCode::invalid_argument);
  EXPECT_EQ(values_of(OneOp("Div").input(floats({2}, {1, -1})).input(floats({}, {0})).result()),
            (std::vector<float>{kInfinity, -kInfinity}));
}

TEST(Arithmetic, ModTakesTheSignOfDivisorOrDividend) {
  const auto a = [] { return int64s({-4, 7, 5, 4, -7, 8}); };
  const auto b = [] { return int64s({2, -3, 8, -2, 3, 5}); };
  EXPECT_EQ(elements<std::int64_t>(OneOp("Mod").input(a()).input(b()).result()),
            (std::vector<std::int64_t>{0, -2, 5, 0, 2, 3}));
  EXPECT_EQ(elements<std::int64_t>(
                OneOp("Mod").attr("fmod", std::int64_t{1}).input(a()).input(b()).result()),
            (std::vector<std::int64_t>{0, 1, 5, 0, -1, 3}));
  for (const std::int64_t fmod : {0, 1}) {
    OneOp by_zero("Mod");
    by_zero.attr("fmod", fmod).input(int64s({1})).input(int64s({0}));
    EXPECT_EQ(error_of(by_zero), ErrorCode::invalid_argument);
    const std::int64_t least = std::numeric_limits<std::int64_t>::min();
    EXPECT_EQ(
        elements<std::int64_t>(
            OneOp("Mod").attr("fmod", fmod).input(int64s({least})).input(int64s({-1})).result()),
        std::vector<std::int64_t>{0});
  }
}

TEST(Arithmetic, PowOfIntegers) {
  EXPECT_EQ(
      elements<std::int64_t>(OneOp("Pow")
                                 .input(int64s({-2, 3, 0, 1, -1, -1, 5}))
                                 .input(int64s({63, 4, 0, -9, -3, -2, -1}))
                                 .result()),
      (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(), 81, 1, 1, -1, 1, 0}));
  OneOp zero("Pow");
  zero.input(int64s({0})).input(int64s({-1}));
  EXPECT_EQ(error_of(zero), ErrorCode::invalid_argument);
  OneOp huge("Pow");
  huge.input(int64s({10})).input(floats({1}, {30.0F}));
  EXPECT_EQ(error_of(huge), ErrorCode::invalid_argument);
}

TEST(Arithmetic, PowOfAConstantExponentEqualsThatOfEachElement) {
  for (const float exponent : {2.0F, 3.0F, 0.5F, -1.0F}) {
    const std::vector<float> x = {-1.5F, 0.0F, 0.25F, 3.0F, 1e10F};
    const Tensor got = OneOp("Pow").input(floats({5}, x)).input(floats({}, {exponent})).result();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = std::pow(static_cast<double>(x[i]), static_cast<double>(exponent));
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(got.data<float>()[i]));
      } else {
        EXPECT_FLOAT_EQ(got.data<float>()[i], static_cast<float>(want)) << x[i] << "^" << exponent;
      }
    }
  }
}

TEST(Arithmetic, RefusesWhatDoesNotFit) {
  OneOp types("Add");
  types.input(floats({1}, {1})).input(int64s({1}));
  EXPECT_EQ(error_of(types), ErrorCode::shape_mismatch);
  OneOp shapes("Add");
  shapes.input(floats({2}, {1, 2})).input(floats({3}, {1, 2, 3}));
  EXPECT_EQ(error_of(shapes), ErrorCode::shape_mismatch);
  OneOp doubles("Mul");
  doubles.input(make_tensor<double>(DType::f64, {1}, {1}))
      .input(make_tensor<double>(DType::f64, {1}, {1}));
  EXPECT_EQ(error_of(doubles), ErrorCode::unsupported);
  OneOp alone("Add");
  alone.input(floats({1}, {1}));
  EXPECT_EQ(alone.build().status().code(), ErrorCode::malformed);
  OneOp hole("Where");
  hole.absent().input(floats({1}, {1})).input(floats({1}, {1}));
  EXPECT_EQ(hole.build().status().code(), ErrorCode::malformed);
}

// Every element by its index, the slow way.
std::vector<float> plain_difference(const Tensor& a, const Tensor& b, const Shape& shape) {
  std::vector<float> y;
  const auto at = [&](const Tensor& t, const std::vector<std::int64_t>& index) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < t.rank(); ++d) {
      const std::int64_t i = index[shape.size() - t.rank() + d];
      offset = offset * t.dim(d) + (t.dim(d) == 1 ? 0 : i);
    }
    return t.data<float>()[offset];
  };
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  for (std::int64_t n = 0; n < count; ++n) {
    std::int64_t rest = n;
    for (std::size_t d = shape.size(); d-- > 0;) {
      index[d] = rest % shape[d];
      rest /= shape[d];
    }
    y.push_back(at(a, index) - at(b, index));
  }
  return y;
}

TEST(Broadcasting, EqualsAPlainLoopForAnyShapes) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> rank_of(0, 4), size_of(1, 5), coin(0, 2);
  const auto random_tensor = [&](const Shape& shape) {
    std::int64_t count = 1;
    for (const std::int64_t d : shape) count *= d;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& v : values) v = static_cast<float>(random() % 1000);
    return floats(shape, values);
  };
  for (int round = 0; round < 200; ++round) {
    Shape shape(static_cast<std::size_t>(rank_of(random)));
    for (std::int64_t& d : shape) d = size_of(random);
    Shape shapes[2] = {shape, shape};
    for (Shape& s : shapes) {
      for (std::int64_t& d : s) {
        if (coin(random) == 0) d = 1;
      }
    }
    // Leading ones may be missing.
    while (!shapes[1].empty() && shapes[1][0] == 1) shapes[1].erase(shapes[1].begin());
    Shape wanted = shapes[0];
    for (std::size_t d = 0; d < shapes[1].size(); ++d) {
      std::int64_t& w = wanted[wanted.size() - shapes[1].size() + d];
      w = std::max(w, shapes[1][d]);
    }
    const Tensor a = random_tensor(shapes[0]);
    const Tensor b = random_tensor(shapes[1]);
    expect_near(OneOp("Sub").input(a).input(b).result(), wanted, plain_difference(a, b, wanted),
                0.0F);
    std::vector<float> negated = plain_difference(a, b, wanted);
    for (float& v : negated) v = -v;
    expect_near(OneOp("Sub").input(b).input(a).result(), wanted, negated, 0.0F);
  }
}

TEST(Broadcasting, AnEmptyDimensionMakesAnEmptyResult) {
  EXPECT_EQ(OneOp("Add").input(floats({2, 0}, {})).input(floats({1}, {1})).result().shape(),
            (Shape{2, 0}));
  EXPECT_EQ(
      OneOp("Add").input(floats({1, 0}, {})).input(floats({3, 1}, {1, 2, 3})).result().shape(),
      (Shape{3, 0}));
}

TEST(Broadcasting, ThreadsDoNotChangeTheResult) {
  constexpr std::int64_t kRows = 301, kCols = 517;  // rows are split between threads
  std::vector<float> a(kRows * kCols), b(kCols);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 1013);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i);
  const auto run = [&](int threads) {
    return OneOp("Sub")
        .threads(threads)
        .input(floats({kRows, kCols}, a))
        .input(floats({kCols}, b))
        .result();
  };
  const Tensor one = run(1);
  EXPECT_EQ(values_of(one),
            plain_difference(floats({kRows, kCols}, a), floats({kCols}, b), {kRows, kCols}));
  EXPECT_EQ(values_of(run(4)), values_of(one));
}

TEST(Selection, MinAndMaxPassNaNOn) {
  const auto run = [](const char* op, float a, float b) {
    return values_of(OneOp(op).input(floats({1}, {a})).input(floats({1}, {b})).result())[0];
  };
  for (const char* op : {"Min", "Max"}) {
    EXPECT_TRUE(std::isnan(run(op, kNaN, 1.0F))) << op;
    EXPECT_TRUE(std::isnan(run(op, 1.0F, kNaN))) << op;
  }
  EXPECT_EQ(run("Min", -kInfinity, 1.0F), -kInfinity);
  EXPECT_EQ(run("Max", -kInfinity, 1.0F), 1.0F);
}

TEST(Selection, WhereTakesAnyTypeAndBroadcastsAllThree) {
  const Tensor condition = make_tensor<std::uint8_t>(DType::boolean, {2, 1}, {1, 0});
  const Tensor y = OneOp("Where", 16)
                       .input(condition)
                       .input(integers<std::uint16_t>(DType::f16, {1, 2, 3}))
                       .input(make_tensor<std::uint16_t>(DType::f16, {}, {9}))
                       .result();
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_EQ(elements<std::uint16_t>(y), (std::vector<std::uint16_t>{1, 2, 3, 9, 9, 9}));
  OneOp numeric("Where");
  numeric.input(int64s({1})).input(floats({1}, {1})).input(floats({1}, {1}));
  EXPECT_EQ(error_of(numeric), ErrorCode::shape_mismatch);
}

TEST(Selection, ClipTakesAttributesBeforeOpset11AndInputsSince) {
  const std::vector<float> x = {-5, -1, 0, 1, 5, kNaN};
  const auto check = [](const Tensor& y, const std::vector<float>& want) {
    for (std::size_t i = 0; i < want.size(); ++i) EXPECT_EQ(y.data<float>()[i], want[i]) << i;
    EXPECT_TRUE(std::isnan(y.data<float>()[want.size()]));
  };
  check(OneOp("Clip", 10).attr("min", -1.0F).attr("max", 2.0F).input(floats({6}, x)).result(),
        {-1, -1, 0, 1, 2});
  check(OneOp("Clip", 10).attr("max", 2.0F).input(floats({6}, x)).result(), {-5, -1, 0, 1, 2});
  check(OneOp("Clip").input(floats({6}, x)).absent().input(floats({}, {2})).result(),
        {-5, -1, 0, 1, 2});
  // Bounds that cross: the upper one counts.
  check(OneOp("Clip").input(floats({6}, x)).input(floats({}, {3})).input(floats({}, {-2})).result(),
        {-2, -2, -2, -2, -2});
  EXPECT_EQ(values_of(OneOp("Clip").input(floats({2}, {kInfinity, -kInfinity})).result()),
            (std::vector<float>{kInfinity, -kInfinity}));
  OneOp type("Clip");
  type.input(floats({1}, {1})).input(int64s({0}));
  EXPECT_EQ(error_of(type), ErrorCode::shape_mismatch);
  OneOp several("Clip");
  several.input(floats({1}, {1})).input(floats({2}, {0, 1}));
  EXPECT_EQ(error_of(several), ErrorCode::shape_mismatch);
}

TEST(Selection, SlopesOfPReluDoNotEnlargeTheInput) {
  OneOp op("PRelu");
  op.input(floats({1, 2}, {1, -1})).input(floats({3, 2}, {1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(error_of(op), ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch::testing
