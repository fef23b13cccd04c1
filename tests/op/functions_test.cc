// Functions of one number, and conversions between element types.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>

#include "graph/onnx_dtype.h"
#include "tests/support/one_op.h"

namespace pbatch::testing {
namespace {

constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinite = std::numeric_limits<float>::infinity();

struct Function {
  const char* op_type;
  int opset;
  std::function<double(double)> exact;
  std::map<std::string, Attribute> attributes = {};
};

std::vector<Function> functions() {
  const auto softplus = [](double x) {
    return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
  };
  return {
      {"Exp", 13, [](double x) { return std::exp(x); }},
      {"Erf", 13, [](double x) { return std::erf(x); }},
      {"Tanh", 13, [](double x) { return std::tanh(x); }},
      {"Sigmoid", 13, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Softplus", 13, softplus},
      {"Softsign", 13, [](double x) { return x / (1 + std::fabs(x)); }},
      {"Mish", 18, [=](double x) { return x * std::tanh(softplus(x)); }},
      {"HardSwish", 14, [](double x) { return x * std::fmin(std::fmax(x / 6 + 0.5, 0), 1); }},
      {"HardSigmoid", 13, [](double x) { return std::fmin(std::fmax(0.2 * x + 0.5, 0), 1); }},
      {"LeakyRelu", 13, [](double x) { return x < 0 ? 0.25 * x : x; }, {{"alpha", 0.25F}}},
      {"Elu", 13, [](double x) { return x < 0 ? 2 * std::expm1(x) : x; }, {{"alpha", 2.0F}}},
      {"Selu", 13,
       [](double x) {
         return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
       }},
      {"Gelu", 20, [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }},
      {"Gelu",
       20,
       [](double x) {
         const double u = std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
         return 0.5 * x * (1 + std::tanh(u));
       },
       {{"approximate", std::string("tanh")}}},
  };
}

TEST(Functions, AreWithinRoundingOfTheExactOnes) {
  std::vector<float> x;
  for (int i = -2000; i <= 2000; ++i) x.push_back(static_cast<float>(i) * 0.01F);
  for (const Function& f : functions()) {
    OneOp op(f.op_type, f.opset);
    for (const auto& [name, value] : f.attributes) op.attr(name, value);
    const Tensor y = op.input(floats({static_cast<std::int64_t>(x.size())}, x)).result();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = f.exact(x[i]);
      ASSERT_NEAR(y.data<float>()[i], want, 1e-6 * std::fabs(want) + 2e-6)
          << f.op_type << " of " << x[i];
    }
  }
}

TEST(Functions, KeepNaNAndStandInfinities) {
  for (const Function& f : functions()) {
    OneOp op(f.op_type, f.opset);
    for (const auto& [name, value] : f.attributes) op.attr(name, value);
    const Tensor y = op.input(floats({2}, {kNotANumber, 1000.0F})).result();
    EXPECT_TRUE(std::isnan(y.data<float>()[0])) << f.op_type;
    EXPECT_FALSE(std::isnan(y.data<float>()[1])) << f.op_type;
  }
  EXPECT_TRUE(std::isnan(values_of(OneOp("Relu").input(floats({1}, {kNotANumber})).result())[0]));
  EXPECT_TRUE(std::isnan(values_of(OneOp("Sign").input(floats({1}, {kNotANumber})).result())[0]));
  EXPECT_EQ(values_of(OneOp("Sigmoid").input(floats({2}, {-kInfinite, kInfinite})).result()),
            (std::vector<float>{0, 1}));
  EXPECT_EQ(values_of(OneOp("Softplus").input(floats({2}, {-kInfinite, kInfinite})).result()),
            (std::vector<float>{0, kInfinite}));
}

TEST(Functions, RefuseTypesAndAttributesTheyDoNotKnow) {
  EXPECT_EQ(OneOp("Exp").input(int64s({1})).run().status().code(), ErrorCode::unsupported);
  EXPECT_EQ(OneOp("Gelu", 20)
                .attr("approximate", std::string("cubic"))
                .input(floats({1}, {1}))
                .build()
                .status()
                .code(),
            ErrorCode::unsupported);
  EXPECT_EQ(
      OneOp("Elu").attr("alpha", std::int64_t{1}).input(floats({1}, {1})).build().status().code(),
      ErrorCode::malformed);
}

Tensor cast(const Tensor& x, DType to) {
  return OneOp("Cast").attr("to", std::int64_t{dtype_to_onnx(to)}).input(x).result();
}

template <class T>
std::vector<T> function_elements(const Tensor& t) {
  const auto span = t.span<T>();
  return {span.begin(), span.end()};
}

TEST(Cast, FloatsOutOfRangeSaturate) {
  const Tensor x = floats({7}, {kNotANumber, -kInfinite, kInfinite, 1e20F, -1e20F, -2.9F, 2.9F});
  EXPECT_EQ(function_elements<std::int32_t>(cast(x, DType::i32)),
            (std::vector<std::int32_t>{0, INT32_MIN, INT32_MAX, INT32_MAX, INT32_MIN, -2, 2}));
  EXPECT_EQ(function_elements<std::int64_t>(cast(x, DType::i64)),
            (std::vector<std::int64_t>{0, INT64_MIN, INT64_MAX, INT64_MAX, INT64_MIN, -2, 2}));
  EXPECT_EQ(function_elements<std::uint8_t>(cast(x, DType::u8)),
            (std::vector<std::uint8_t>{0, 0, 255, 255, 0, 0, 2}));
  EXPECT_EQ(function_elements<std::uint64_t>(cast(x, DType::u64)),
            (std::vector<std::uint64_t>{0, 0, UINT64_MAX, UINT64_MAX, 0, 0, 2}));
  EXPECT_EQ(function_elements<std::int8_t>(cast(x, DType::i8)),
            (std::vector<std::int8_t>{0, -128, 127, 127, -128, -2, 2}));
}

TEST(Cast, BetweenIntegersBoolAndHalves) {
  EXPECT_EQ(function_elements<std::uint8_t>(cast(int64s({257, -1, 7}), DType::u8)),
            (std::vector<std::uint8_t>{1, 255, 7}));
  EXPECT_EQ(function_elements<std::uint8_t>(
                cast(floats({4}, {0, -0.0F, 0.25F, kNotANumber}), DType::boolean)),
            (std::vector<std::uint8_t>{0, 0, 1, 1}));
  // A file may hold any byte for true.
  const Tensor bytes = make_tensor<std::uint8_t>(DType::boolean, {3}, {0, 1, 200});
  EXPECT_EQ(values_of(cast(bytes, DType::f32)), (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(values_of(cast(cast(floats({2}, {1.5F, -65504}), DType::f16), DType::f32)),
            (std::vector<float>{1.5F, -65504}));
  EXPECT_EQ(values_of(cast(cast(floats({1}, {1.5F}), DType::bf16), DType::f32)),
            std::vector<float>{1.5F});
  EXPECT_EQ(function_elements<std::int64_t>(cast(cast(int64s({3, -4}), DType::f16), DType::i64)),
            (std::vector<std::int64_t>{3, -4}));
}

TEST(Cast, RefusesTypesThatItDoesNotHold) {
  constexpr std::int64_t kString = 8;
  const Status status = OneOp("Cast").attr("to", kString).input(floats({1}, {1})).build().status();
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_NE(status.message().find("string"), std::string::npos);
  EXPECT_EQ(OneOp("Cast").input(floats({1}, {1})).build().status().code(), ErrorCode::malformed);
}

TEST(Logic, AnyByteButZeroIsTrue) {
  const Tensor a = make_tensor<std::uint8_t>(DType::boolean, {4}, {0, 2, 2, 0});
  const Tensor b = make_tensor<std::uint8_t>(DType::boolean, {4}, {0, 1, 0, 4});
  const auto run = [&](const char* op) {
    return function_elements<std::uint8_t>(OneOp(op).input(a).input(b).result());
  };
  EXPECT_EQ(run("And"), (std::vector<std::uint8_t>{0, 1, 0, 0}));
  EXPECT_EQ(run("Or"), (std::vector<std::uint8_t>{0, 1, 1, 1}));
  EXPECT_EQ(run("Xor"), (std::vector<std::uint8_t>{0, 0, 1, 1}));
  EXPECT_EQ(run("Equal"), (std::vector<std::uint8_t>{1, 1, 0, 0}));
  EXPECT_EQ(function_elements<std::uint8_t>(OneOp("Not").input(a).result()),
            (std::vector<std::uint8_t>{1, 0, 0, 1}));
}

TEST(Logic, ComparisonsWithNaNAreFalse) {
  for (const char* op : {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}) {
    EXPECT_EQ(function_elements<std::uint8_t>(OneOp(op)
                                                  .input(floats({2}, {kNotANumber, 1}))
                                                  .input(floats({2}, {kNotANumber, kNotANumber}))
                                                  .result()),
              (std::vector<std::uint8_t>{0, 0}))
        << op;
  }
}

}  // namespace
}  // namespace pbatch::testing
