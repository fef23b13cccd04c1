// What the tests of If, Loop and Scan share: networks from a builder, loaded, run and refused.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "pbatch/session.h"
#include "tests/onnx/model_builder.h"
#include "tests/support/networks.h"
#include "tests/support/one_op.h"

namespace pbatch::testing {

inline constexpr int kBool = onnx::TensorProto::BOOL;
inline constexpr int kInt64 = onnx::TensorProto::INT64;

inline Tensor boolean(bool value) {
  return make_tensor<std::uint8_t>(DType::boolean, {}, {static_cast<std::uint8_t>(value)});
}

inline std::string write(const ModelBuilder& builder, const std::string& name = "net.onnx") {
  const std::string path = temp_path(name);
  std::ofstream(path, std::ios::binary) << builder.bytes();
  return path;
}

inline Session load(const ModelBuilder& builder) {
  Result<Session> session = Session::load(write(builder));
  EXPECT_TRUE(session) << session.status().to_line();
  return std::move(session).value();
}

inline Result<std::vector<Tensor>> run(const ModelBuilder& builder,
                                       const std::vector<NamedTensor>& inputs) {
  return load(builder).run(inputs, Precision::f32());
}

inline std::vector<Tensor> must_run(const ModelBuilder& builder,
                                    const std::vector<NamedTensor>& inputs) {
  Result<std::vector<Tensor>> made = run(builder, inputs);
  EXPECT_TRUE(made) << made.status().to_line();
  return made ? *made : std::vector<Tensor>(3);
}

inline void expect_error(const ModelBuilder& builder, const std::vector<NamedTensor>& inputs,
                         const std::string& part) {
  const auto made = run(builder, inputs);
  ASSERT_FALSE(made) << "ran, but should fail with: " << part;
  EXPECT_NE(made.status().to_line().find(part), std::string::npos) << made.status().to_line();
  EXPECT_FALSE(made.status().remedy().empty());
}

inline std::vector<std::int64_t> integers_of(const Tensor& t) {
  const auto span = t.span<std::int64_t>();
  return {span.begin(), span.end()};
}

// A dimension that the input decides.
inline void free_dims(onnx::ValueInfoProto& info, int count) {
  auto& shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.clear_dim();
  for (int i = 0; i < count; ++i) shape.add_dim();
}

inline std::string operators(const Session& session) {
  std::string text;
  const auto plan = session.plan(Precision::f32());
  EXPECT_TRUE(plan) << plan.status().to_line();
  if (!plan) return text;
  for (const PlanStep& step : *plan) {
    text += step.node + ":" + step.op_type + " ";
  }
  return text;
}

}  // namespace pbatch::testing
