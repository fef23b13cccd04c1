// One operator, run alone.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "graph/graph.h"
#include "run/find_op.h"

namespace pbatch::testing {

template <class T>
Tensor make_tensor(DType type, Shape shape, const std::vector<T>& values) {
  Result<Tensor> t = Tensor::create(type, std::move(shape));
  EXPECT_TRUE(t) << t.status().to_line();
  if (!t || t->size() != static_cast<std::int64_t>(values.size())) {
    ADD_FAILURE() << "the values do not fill the shape";
    return Tensor{};
  }
  std::copy(values.begin(), values.end(), t->template mutable_data<T>());
  return *t;
}
inline Tensor floats(Shape shape, const std::vector<float>& values) {
  return make_tensor<float>(DType::f32, std::move(shape), values);
}
inline Tensor int64s(const std::vector<std::int64_t>& values) {
  return make_tensor<std::int64_t>(DType::i64, {static_cast<std::int64_t>(values.size())}, values);
}
inline std::vector<float> values_of(const Tensor& t) {
  const auto span = t.span<float>();
  return {span.begin(), span.end()};
}

/// Gathers attributes and inputs, builds the operator and runs it.
class OneOp {
 public:
  explicit OneOp(const std::string& op_type, int opset = 13, const std::string& domain = "") {
    node_.name = "node";
    node_.op_type = op_type;
    node_.domain = domain;
    node_.opset = opset;
  }
  OneOp& attr(const std::string& name, Attribute value) {
    node_.attributes[name] = std::move(value);
    return *this;
  }
  OneOp& input(Tensor tensor) { return add(std::move(tensor), false); }
  OneOp& constant(Tensor tensor) { return add(std::move(tensor), true); }
  OneOp& absent() {
    node_.inputs.push_back(kNoValue);
    given_.push_back(std::nullopt);
    return *this;
  }
  OneOp& backend(FloatBackend backend) {
    backend_ = backend;
    return *this;
  }
  OneOp& threads(int threads) {
    threads_ = threads;
    return *this;
  }

  Result<std::unique_ptr<Op>> build(std::size_t outputs = 1) {
    while (node_.outputs.size() < outputs) {
      node_.outputs.push_back(
          graph_.add_value({.name = "y" + std::to_string(node_.outputs.size())}));
    }
    PBATCH_ASSIGN_OR_RETURN(const OpFactory factory, find_op(node_));
    return factory(graph_, node_);
  }

  Result<std::vector<Tensor>> run(std::size_t outputs = 1) {
    PBATCH_ASSIGN_OR_RETURN(const std::unique_ptr<Op> op, build(outputs));
    ThreadPool pool(threads_);
    BufferPool buffers;
    const Precision precision = Precision::f32();
    RunContext context{pool, buffers, precision, backend_};
    std::vector<const Tensor*> inputs;
    for (const auto& t : given_) inputs.push_back(t ? &*t : nullptr);
    std::vector<Tensor> made(outputs);
    PBATCH_RETURN_IF_ERROR(op->run(context, inputs, made));
    return made;
  }

  /// The one output; a failure of the test if there is an error.
  Tensor result() {
    Result<std::vector<Tensor>> made = run();
    EXPECT_TRUE(made) << made.status().to_line();
    return made ? made->front() : Tensor{};
  }

 private:
  OneOp& add(Tensor tensor, bool constant) {
    Value value{.name = "x" + std::to_string(given_.size()), .dtype = tensor.dtype()};
    if (constant) value.constant = tensor;
    node_.inputs.push_back(graph_.add_value(std::move(value)));
    given_.push_back(std::move(tensor));
    return *this;
  }

  Graph graph_;
  Node node_;
  std::vector<std::optional<Tensor>> given_;
  FloatBackend backend_ = FloatBackend::fastest;
  int threads_ = 1;
};

inline void expect_near(const Tensor& got, const Shape& shape, const std::vector<float>& want,
                        float tolerance = 1e-4F) {
  ASSERT_EQ(got.dtype(), DType::f32);
  ASSERT_EQ(got.shape(), shape);
  ASSERT_EQ(static_cast<std::size_t>(got.size()), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got.data<float>()[i], want[i], tolerance) << "at element " << i;
  }
}

}  // namespace pbatch::testing
