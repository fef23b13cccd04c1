// Networks whose operators run on other libraries' threads, in processes that were forked off.
#include <gtest/gtest.h>

#include <vector>

#include "run/program.h"
#include "tests/support/forked.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::random_floats;
using testing::tensor_of;

Program program_of(const std::string& op_type, std::vector<Tensor> constants,
                   std::vector<std::int64_t> kernel) {
  Graph graph;
  graph.opsets[""] = 13;
  Node node;
  node.name = node.op_type = op_type;
  node.opset = 13;
  node.inputs = {graph.add_value({.name = "x"})};
  graph.inputs = node.inputs;
  for (Tensor& constant : constants) {
    node.inputs.push_back(graph.add_value({.name = "w", .constant = std::move(constant)}));
  }
  if (!kernel.empty()) node.attributes["kernel_shape"] = std::move(kernel);
  node.outputs = {graph.add_value({.name = "y"})};
  graph.outputs = node.outputs;
  graph.nodes = {node};
  Result<Program> program = Program::build(std::move(graph));
  EXPECT_TRUE(program) << program.status().to_line();
  return std::move(program).value();
}

std::vector<float> run_forked(const Program& program, ThreadPool& pool, FloatBackend backend,
                              const Tensor& x) {
  static BufferPool buffers;
  const Precision precision;
  RunContext context{pool, buffers, precision, backend};
  const auto y = program.run(context, {&x, 1});
  if (!y) return {};
  return {(*y)[0].span<float>().begin(), (*y)[0].span<float>().end()};
}

// In the parent's pool and in one of the child's own, and in the parent afterwards.
void expect_the_same_in_a_fork(const Program& program, const Tensor& x) {
  for (const FloatBackend backend : {FloatBackend::onednn, FloatBackend::openblas}) {
    ThreadPool pool(2);
    const std::vector<float> expected = run_forked(program, pool, backend, x);
    ASSERT_FALSE(expected.empty());
    EXPECT_EQ(testing::in_a_fork([&] {
                ThreadPool own(2);
                return run_forked(program, pool, backend, x) == expected &&
                       run_forked(program, own, backend, x) == expected;
              }),
              "");
    EXPECT_EQ(run_forked(program, pool, backend, x), expected);
  }
}

TEST(ForkedProcess, Multiplies) {
  PBATCH_SKIP_FORKS();
  expect_the_same_in_a_fork(
      program_of("MatMul", {tensor_of({256, 256}, random_floats(256 * 256, 1))}, {}),
      tensor_of({64, 256}, random_floats(64 * 256, 2)));
}

TEST(ForkedProcess, Convolves) {
  PBATCH_SKIP_FORKS();
  expect_the_same_in_a_fork(
      program_of("Conv", {tensor_of({16, 8, 3, 3}, random_floats(16 * 8 * 9, 3))}, {3, 3}),
      tensor_of({1, 8, 32, 32}, random_floats(8 * 32 * 32, 4)));
}

TEST(ForkedProcess, Pools) {
  PBATCH_SKIP_FORKS();
  expect_the_same_in_a_fork(program_of("AveragePool", {}, {3, 3}),
                            tensor_of({1, 8, 64, 64}, random_floats(8 * 64 * 64, 5)));
}

}  // namespace
}  // namespace pbatch
