// Scan: axes, directions, both forms, bad input.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "format/model_file.h"
#include "graph/subgraphs.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "quantize/quantize_graph.h"
#include "run/simplify.h"
#include "tests/support/control_flow.h"

namespace pbatch {
namespace {

using namespace testing;

// Scan over a [.., T, ..] and b: state s = s + a_t; outputs s and a_t * b_t.
ModelBuilder scan_model(const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& lists,
                        int opset = 11) {
  ModelBuilder builder(opset);
  const int batched = opset < 9 ? 1 : 0;
  free_dims(builder.input("s", {}), 1 + batched);
  free_dims(builder.input("a", {}), 2 + batched);
  free_dims(builder.input("b", {}), 2 + batched);
  free_dims(builder.output("last"), 1 + batched);
  free_dims(builder.output("sums"), 2 + batched);
  free_dims(builder.output("products"), 2 + batched);
  onnx::NodeProto& node = builder.node("Scan", {}, {"last", "sums", "products"}, "scan");
  if (batched != 0) node.add_input("lengths");
  for (const char* name : {"s", "a", "b"}) node.add_input(name);
  GraphFiller body = subgraph(node, "body");
  for (const char* name : {"state", "at", "bt"}) body.input(name, {3});
  body.node("Add", {"state", "at"}, {"next"});
  body.node("Identity", {"next"}, {"sum"});
  body.node("Mul", {"at", "bt"}, {"product"});
  for (const char* name : {"next", "sum", "product"}) body.output(name, {3});
  onnx::AttributeProto& count = add_attribute(node, "num_scan_inputs", onnx::AttributeProto::INT);
  count.set_i(2);
  for (const auto& [name, list] : lists) {
    onnx::AttributeProto& to = add_attribute(node, name, onnx::AttributeProto::INTS);
    for (const std::int64_t v : list) to.add_ints(v);
  }
  return builder;
}

// What the model above makes, by its definition; `b` is read backwards.
struct ScanResult {
  std::vector<float> last, sums, products;
};
ScanResult naive_scan(std::vector<float> state, const std::vector<float>& a,
                      const std::vector<float>& b, std::size_t time) {
  ScanResult made;
  for (std::size_t t = 0; t < time; ++t) {
    for (std::size_t i = 0; i < 3; ++i) {
      state[i] += a[t * 3 + i];
      made.sums.push_back(state[i]);
      made.products.push_back(a[t * 3 + i] * b[(time - 1 - t) * 3 + i]);
    }
  }
  made.last = state;
  return made;
}

std::vector<float> transposed(const std::vector<float>& from, std::size_t rows, std::size_t cols) {
  std::vector<float> to;
  for (std::size_t c = 0; c < cols; ++c) {
    for (std::size_t r = 0; r < rows; ++r) to.push_back(from[r * cols + c]);
  }
  return to;
}

TEST(Scan, AxesAndDirections) {
  constexpr std::size_t kTime = 5;
  const std::vector<float> s = random_floats(3, 1), a = random_floats(kTime * 3, 2),
                           b = random_floats(kTime * 3, 3);
  const ScanResult want = naive_scan(s, a, b, kTime);
  // b [3, T] is sliced along its last axis, backwards; the sums come out [3, T], the products
  // with the last one first.
  const ModelBuilder builder = scan_model({{"scan_input_axes", {0, -1}},
                                           {"scan_input_directions", {0, 1}},
                                           {"scan_output_axes", {1, 0}},
                                           {"scan_output_directions", {0, 1}}});
  const auto made = must_run(builder, {{"s", floats({3}, s)},
                                       {"a", floats({kTime, 3}, a)},
                                       {"b", floats({3, kTime}, transposed(b, kTime, 3))}});
  EXPECT_EQ(values_of(made[0]), want.last);
  EXPECT_EQ(made[1].shape(), (Shape{3, kTime}));
  EXPECT_EQ(values_of(made[1]), transposed(want.sums, kTime, 3));
  std::vector<float> backwards;
  for (std::size_t t = kTime; t-- > 0;) {
    backwards.insert(backwards.end(), want.products.begin() + std::ptrdiff_t(t * 3),
                     want.products.begin() + std::ptrdiff_t(t * 3 + 3));
  }
  EXPECT_EQ(made[2].shape(), (Shape{kTime, 3}));
  EXPECT_EQ(values_of(made[2]), backwards);
}

TEST(Scan, OfNothing) {
  const auto made = must_run(
      scan_model({}),
      {{"s", floats({3}, {1, 2, 3})}, {"a", floats({0, 3}, {})}, {"b", floats({0, 3}, {})}});
  EXPECT_EQ(values_of(made[0]), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(made[1].shape(), (Shape{0, 3}));
}

TEST(Scan, BatchOfSequencesBeforeOpset9) {
  constexpr std::size_t kTime = 4;
  ModelBuilder builder = scan_model({{"directions", {0, 1}}}, 8);
  builder.input("lengths", {2}, kInt64);
  const std::vector<float> s = random_floats(6, 1), a = random_floats(2 * kTime * 3, 2),
                           b = random_floats(2 * kTime * 3, 3);
  const auto made = must_run(builder, {{"lengths", int64s({4, 2})},
                                       {"s", floats({2, 3}, s)},
                                       {"a", floats({2, kTime, 3}, a)},
                                       {"b", floats({2, kTime, 3}, b)}});
  std::vector<float> last, sums, products;
  for (const std::size_t i : {0U, 1U}) {
    const auto part = [i](const std::vector<float>& v, std::size_t size) {
      return std::vector<float>(v.begin() + std::ptrdiff_t(i * size),
                                v.begin() + std::ptrdiff_t((i + 1) * size));
    };
    const std::size_t time = i == 0 ? 4 : 2;
    ScanResult want = naive_scan(part(s, 3), part(a, kTime * 3), part(b, kTime * 3), time);
    want.sums.resize(kTime * 3, 0);
    want.products.resize(kTime * 3, 0);
    last.insert(last.end(), want.last.begin(), want.last.end());
    sums.insert(sums.end(), want.sums.begin(), want.sums.end());
    products.insert(products.end(), want.products.begin(), want.products.end());
  }
  EXPECT_EQ(values_of(made[0]), last);
  EXPECT_EQ(made[1].shape(), (Shape{2, kTime, 3}));
  EXPECT_EQ(values_of(made[1]), sums);
  EXPECT_EQ(values_of(made[2]), products);
  expect_error(builder,
               {{"lengths", int64s({4, 5})},
                {"s", floats({2, 3}, s)},
                {"a", floats({2, kTime, 3}, a)},
                {"b", floats({2, kTime, 3}, b)}},
               "sequence_lens must be 2 lengths of 0 to 4");
  expect_error(builder,
               {{"lengths", int64s({4, 4})},
                {"s", floats({1, 3}, {1, 2, 3})},
                {"a", floats({2, kTime, 3}, a)},
                {"b", floats({2, kTime, 3}, b)}},
               "of one size for all inputs");
}

TEST(Scan, BadInput) {
  const Tensor s = floats({3}, {1, 2, 3}), two = floats({2, 3}, std::vector<float>(6)),
               three = floats({3, 3}, std::vector<float>(9));
  expect_error(scan_model({}), {{"s", s}, {"a", two}, {"b", three}}, "have different lengths");
  const auto load_error = [](const ModelBuilder& builder, const std::string& part) {
    const Result<Session> session = Session::load(write(builder));
    ASSERT_FALSE(session);
    EXPECT_NE(session.status().to_line().find(part), std::string::npos)
        << session.status().to_line();
  };
  load_error(scan_model({{"scan_input_axes", {0}}}),
             "'scan_input_axes' of Scan has 1 numbers, not 2");
  load_error(scan_model({{"scan_output_directions", {0, 2}}}), "holds 2, not 0 or 1");
  expect_error(scan_model({{"scan_input_axes", {0, 2}}}), {{"s", s}, {"a", two}, {"b", two}},
               "node 'scan': ");
}

}  // namespace
}  // namespace pbatch
