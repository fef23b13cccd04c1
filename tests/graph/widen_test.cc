#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "graph/passes.h"
#include "tests/graph/graph_builder.h"

namespace pbatch {
namespace {

using testing::GraphBuilder;

template <class T>
Tensor tensor_of(DType type, const std::vector<T>& values) {
  Result<Tensor> tensor = Tensor::create(type, {static_cast<std::int64_t>(values.size())});
  EXPECT_TRUE(tensor);
  std::copy(values.begin(), values.end(), tensor->mutable_data<T>());
  return *tensor;
}

TEST(WidenToFloat32, ConstantsOfEveryFloatType) {
  GraphBuilder b;
  const double huge = std::numeric_limits<double>::max();
  const double inf = std::numeric_limits<double>::infinity();
  const ValueId half = b.constant("half", tensor_of<std::uint16_t>(DType::f16, {0x3c00, 0xc100}));
  const ValueId brain =
      b.constant("brain", tensor_of<std::uint16_t>(DType::bf16, {0x3f80, 0xc020}));
  const ValueId wide =
      b.constant("wide", tensor_of<double>(DType::f64, {0.5, -huge, inf, huge, NAN}));
  const ValueId whole = b.constant("whole", tensor_of<std::int64_t>(DType::i64, {1}));
  ASSERT_TRUE(widen_to_float32(b.graph));
  const auto at = [&](ValueId id, int i) { return b.graph.constant(id)->data<float>()[i]; };
  EXPECT_EQ(at(half, 0), 1.0f);
  EXPECT_EQ(at(half, 1), -2.5f);
  EXPECT_EQ(at(brain, 0), 1.0f);
  EXPECT_EQ(at(brain, 1), -2.5f);
  EXPECT_EQ(at(wide, 0), 0.5f);
  EXPECT_EQ(at(wide, 1), std::numeric_limits<float>::lowest());
  EXPECT_EQ(at(wide, 2), std::numeric_limits<float>::infinity());
  EXPECT_EQ(at(wide, 3), std::numeric_limits<float>::max());
  EXPECT_TRUE(std::isnan(at(wide, 4)));
  for (const ValueId id : {half, brain, wide}) {
    EXPECT_EQ(b.graph.constant(id)->dtype(), DType::f32);
    EXPECT_EQ(b.graph.values[std::size_t(id)].dtype, DType::f32);
  }
  EXPECT_EQ(b.graph.constant(whole)->dtype(), DType::i64);
}

TEST(WidenToFloat32, DeclaredTypesCastsAndAttributes) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  b.graph.values[std::size_t(x)].dtype = DType::f16;
  const ValueId to_half = b.node("Cast", "half", {x}, {{"to", std::int64_t{10}}});
  b.graph.values[std::size_t(to_half)].dtype = DType::f16;
  b.node("Cast", "int", {x}, {{"to", std::int64_t{7}}});
  b.node("Other", "other", {x}, {{"to", std::int64_t{10}}});
  b.node("ConstantOfShape", "fill", {x}, {{"value", tensor_of<double>(DType::f64, {2})}});
  ASSERT_TRUE(widen_to_float32(b.graph));
  EXPECT_EQ(b.graph.values[std::size_t(x)].dtype, DType::f32);
  EXPECT_EQ(b.graph.values[std::size_t(to_half)].dtype, DType::f32);
  EXPECT_EQ(*b.graph.nodes[0].int_attr("to", 0), 1);
  EXPECT_EQ(*b.graph.nodes[1].int_attr("to", 0), 7);
  EXPECT_EQ(*b.graph.nodes[2].int_attr("to", 0), 10);
  const Tensor& fill = std::get<Tensor>(b.graph.nodes[3].attributes.at("value"));
  EXPECT_EQ(fill.dtype(), DType::f32);
  EXPECT_EQ(*fill.data<float>(), 2.0f);
}

}  // namespace
}  // namespace pbatch
