#include "tools/allocate/fit_inputs.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/tools/allocate/small_session.h"

namespace pbatch {
namespace {

class FitInputs : public testing::SmallSession {};

TEST_F(FitInputs, AllWhereThereIsTime) {
  const Session session = quantized({64, 128, 96}, {});
  const InputSets sets{inputs(16, 64, 1), inputs(16, 64, 2), inputs(16, 64, 3)};
  const auto all = fit_inputs(session, Precision::f32(), sets, 1, 1000);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 3U);
}

TEST_F(FitInputs, OneItemWhereThereIsNone) {
  const Session session = quantized({64, 128, 96}, {});
  const InputSets sets{inputs(16, 64, 1), inputs(16, 64, 2)};
  const auto least = fit_inputs(session, Precision::f32(), sets, 1e12, 1e-9);
  ASSERT_TRUE(least);
  ASSERT_EQ(least->size(), 1U);
  const Tensor& x = (*least)[0][0].tensor;
  ASSERT_EQ(x.shape(), (Shape{1, 64}));
  EXPECT_EQ(std::memcmp(x.raw(), sets[0][0].tensor.raw(), x.bytes()), 0);
}

TEST_F(FitInputs, WhatTheNetworkDoesNotTakeStays) {
  Graph graph = testing::mlp({64, 128, 96});
  graph.values[static_cast<std::size_t>(graph.inputs[0])].dims->front() = {4, ""};
  const Session session = quantized(graph, {});
  const auto kept = fit_inputs(session, Precision::f32(), {inputs(4, 64, 1)}, 1e12, 1e-9);
  ASSERT_TRUE(kept);
  EXPECT_EQ((*kept)[0][0].tensor.dim(0), 4);
  EXPECT_FALSE(fit_inputs(session, Precision::f32(), {inputs(4, 63, 1)}, 1, 1));
}

}  // namespace
}  // namespace pbatch
