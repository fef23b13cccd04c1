#include "quantize/quantize_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/passes.h"
#include "quantize/dequantize.h"
#include "tests/graph/graph_builder.h"
#include "tests/quantize/naive_decoder.h"

namespace pbatch {
namespace {

using testing::GraphBuilder;

Tensor tensor_of(Shape shape, unsigned seed) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  Result<Tensor> t = Tensor::from_floats(std::move(shape), testing::gaussian(count, seed));
  EXPECT_TRUE(t);
  return *t;
}

const LayerReport& report_of(const std::vector<LayerReport>& reports, const std::string& name) {
  for (const LayerReport& r : reports) {
    if (r.name == name) return r;
  }
  static const LayerReport none;
  ADD_FAILURE() << "no report of " << name;
  return none;
}

const Node& node_of(const Graph& graph, const std::string& name) {
  for (const Node& n : graph.nodes) {
    if (n.name == name) return n;
  }
  static const Node none;
  ADD_FAILURE() << "no node " << name;
  return none;
}

std::vector<LayerReport> quantize(Graph& graph, const QuantizeOptions& options = {}) {
  EXPECT_TRUE(fuse_linear(graph));
  Result<std::vector<LayerReport>> reports = quantize_graph(graph, options);
  EXPECT_TRUE(reports) << reports.status().to_line();
  return reports ? *reports : std::vector<LayerReport>{};
}

TEST(QuantizeGraph, GemmBecomesBitLinearWithTheMatrixTheRightWayRound) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  const Tensor w = tensor_of({80, 96}, 1);  // transB: [rows][cols]
  const ValueId bias = b.constant("b", tensor_of({80}, 2));
  b.output(
      b.node("Relu", "relu",
             {b.node("Gemm", "fc", {x, b.constant("w", w), bias}, {{"transB", std::int64_t{1}}})}));
  const auto reports = quantize(b.graph, {.planes = 10, .group = 32});
  ASSERT_EQ(reports.size(), 1u);
  const LayerReport& r = reports[0];
  EXPECT_TRUE(r.quantized);
  EXPECT_EQ(r.reason, "");
  EXPECT_EQ(r.rows, 80);
  EXPECT_EQ(r.cols, 96);
  EXPECT_EQ(r.planes, 10);
  EXPECT_EQ(r.sqnr_db.size(), 10u);
  EXPECT_EQ(r.plane_bytes, 80 * 96 / 8);
  EXPECT_EQ(r.scale_bytes, 80 * 3 + 4 * 256 + 80 * 4);
  EXPECT_EQ(r.float_bytes, 80 * 96 * 4);

  ASSERT_EQ(b.graph.nodes.size(), 1u);
  const Node& node = b.graph.nodes[0];
  EXPECT_EQ(node.op_type, "BitLinear");
  EXPECT_EQ(node.domain, "pbatch");
  EXPECT_EQ(std::get<std::string>(node.attributes.at("activation")), "relu");
  ASSERT_EQ(node.inputs.size(), 2u);
  ASSERT_NE(b.graph.constant(node.inputs[1]), nullptr);
  EXPECT_EQ(b.graph.opsets.at("pbatch"), 1);
  for (std::int64_t row = 0; row < 80; row += 7) {
    for (std::int64_t c = 0; c < 96; ++c) {
      EXPECT_NEAR(testing::decode_weight(*node.matrix, 10, row, c), w.data<float>()[row * 96 + c],
                  0.01);
    }
  }
  // Nobody needs the float weights any more.
  for (const Value& v : b.graph.values)
    EXPECT_FALSE(v.constant && v.constant->size() > 80) << v.name;
}

// Planes behind the eighth refine the nearest code: one that was moved would be the end of it.
TEST(QuantizeGraph, SixteenPlanesHoldWhatSixteenBitsCan) {
  const auto sqnr_db = [](double row_sums) {
    GraphBuilder b;
    b.output(b.node("MatMul", "fc", {b.input("x"), b.constant("w", tensor_of({96, 80}, 1))}));
    QuantizeOptions options;
    options.planes = 16;
    options.row_sums = row_sums;
    return quantize(b.graph, options).at(0).sqnr_db;
  };
  const std::vector<double> moved = sqnr_db(0.3), nearest = sqnr_db(0);
  ASSERT_EQ(moved.size(), 16u);
  // 6 dB a bit, of which a little is lost where scales of groups are shared.
  EXPECT_GT(moved[15], 85);
  EXPECT_EQ(moved, nearest);
}

TEST(QuantizeGraph, ConvBecomesBitConvOverChannelsAndTaps) {
  GraphBuilder b;
  const Tensor w = tensor_of({32, 16, 3, 5}, 3);
  b.output(b.node("Conv", "conv", {b.input("x"), b.constant("w", w)},
                  {{"pads", std::vector<std::int64_t>{1, 2, 1, 2}}}));
  const auto reports = quantize(b.graph);
  EXPECT_TRUE(report_of(reports, "conv").quantized);
  EXPECT_EQ(report_of(reports, "conv").op_type, "Conv");
  EXPECT_EQ(report_of(reports, "conv").cols, 16 * 3 * 5);
  const Node& node = node_of(b.graph, "conv");
  EXPECT_EQ(node.op_type, "BitConv");
  EXPECT_EQ(node.matrix->rows, 32);
  EXPECT_EQ(node.matrix->cols, 240);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(node.attributes.at("kernel_shape")),
            (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(node.attributes.at("pads")).size(), 4u);
  EXPECT_NEAR(testing::decode_weight(*node.matrix, 8, 31, 239), w.data<float>()[32 * 240 - 1],
              0.05);
}

TEST(QuantizeGraph, SharedWeightsAreQuantizedOnce) {
  GraphBuilder b;
  const ValueId w = b.constant("w", tensor_of({64, 64}, 4));
  const ValueId h = b.node("MatMul", "first", {b.input("x"), w});
  b.output(b.node("MatMul", "second", {h, w}));
  const auto reports = quantize(b.graph);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(node_of(b.graph, "first").matrix, node_of(b.graph, "second").matrix);
}

// An embedding and the layer that turns it round; a copy under another name; a transposed copy.
TEST(QuantizeGraph, OneMatrixInManyFormsIsQuantizedOnce) {
  GraphBuilder b;
  const Tensor table = tensor_of({96, 64}, 4);
  Tensor turned = tensor_of({64, 96}, 5);
  for (std::int64_t r = 0; r < 96; ++r) {
    for (std::int64_t c = 0; c < 64; ++c) {
      turned.mutable_data<float>()[c * 96 + r] = table.data<float>()[r * 64 + c];
    }
  }
  const ValueId e = b.constant("e", table);
  const Tensor copy = *Tensor::from_floats({96, 64}, table.span<float>());
  const ValueId x = b.node("Gather", "embedding", {e, b.input("i")});
  const std::map<std::string, Attribute> transposed{{"transB", std::int64_t{1}}};
  b.output(b.node("Gemm", "logits", {x, e}, transposed));
  b.output(b.node("Gemm", "copy", {x, b.constant("c", copy)}, transposed));
  b.output(b.node("MatMul", "turned", {x, b.constant("t", turned)}));
  b.output(b.node("MatMul", "other", {x, b.constant("o", tensor_of({64, 96}, 6))}));
  const auto reports = quantize(b.graph);
  const auto matrix = node_of(b.graph, "embedding").matrix;
  for (const char* name : {"logits", "copy", "turned"}) {
    EXPECT_EQ(node_of(b.graph, name).matrix, matrix) << name;
    EXPECT_EQ(report_of(reports, name).same_as, "embedding");
  }
  EXPECT_NE(node_of(b.graph, "other").matrix, matrix);
  EXPECT_EQ(report_of(reports, "embedding").same_as, "");
  EXPECT_EQ(report_of(reports, "other").same_as, "");
}

// Scales between two layers would make two matrices of one.
TEST(QuantizeGraph, SharedMatricesAreNotBalanced) {
  for (const bool shared : {true, false}) {
    GraphBuilder b;
    Tensor first = tensor_of({64, 64}, 1);
    for (std::int64_t i = 0; i < first.size(); i += 64) first.mutable_data<float>()[i] *= 100;
    Tensor second = tensor_of({64, 64}, 2);
    for (std::int64_t i = 0; i < 64; ++i) second.mutable_data<float>()[i] *= 100;
    const ValueId x = b.input("x");
    const ValueId w = b.constant("w", second);
    const ValueId h = b.node("MatMul", "first", {x, b.constant("v", first)});
    b.output(b.node("MatMul", "second", {h, w}));
    if (shared) b.output(b.node("MatMul", "third", {x, w}));
    quantize(b.graph);
    const float right = second.data<float>()[5];
    const float got = testing::decode_weight(*node_of(b.graph, "second").matrix, 8, 5, 0);
    EXPECT_EQ(std::fabs(got - right) < 0.1F * std::fabs(right), shared) << got << " " << right;
    if (shared) {
      EXPECT_EQ(node_of(b.graph, "second").matrix, node_of(b.graph, "third").matrix);
    }
  }
}

TEST(QuantizeGraph, ConstantsOnTheLeftAndOfLeadingOnesBecomeBitLayers) {
  GraphBuilder b;
  const std::vector<Dim> any(3);
  const ValueId x = b.input("x", any);
  const Tensor w = tensor_of({80, 64}, 7), v = tensor_of({1, 64, 80}, 8);
  b.output(b.node("MatMul", "left", {b.constant("w", w), x}));
  b.output(b.node("MatMul", "ones", {x, b.constant("v", v)}));
  b.output(b.node("MatMul", "excluded", {b.constant("w2", w), x}));
  const std::size_t nodes = b.graph.nodes.size();
  const auto reports = quantize(b.graph, {.exclude = {"excluded"}});
  EXPECT_EQ(b.graph.nodes.size(), nodes + 2);  // a Transpose on either side
  EXPECT_EQ(node_of(b.graph, "excluded").op_type, "MatMul");
  EXPECT_NE(report_of(reports, "excluded").reason, "");
  for (const char* name : {"left", "ones"}) {
    EXPECT_TRUE(report_of(reports, name).quantized) << name;
    EXPECT_EQ(report_of(reports, name).rows, 80);
    EXPECT_EQ(report_of(reports, name).cols, 64);
    const auto matrix = node_of(b.graph, name).matrix;
    const bool left = name == std::string("left");
    EXPECT_NEAR(testing::decode_weight(*matrix, 8, 3, 5),
                left ? w.data<float>()[3 * 64 + 5] : v.data<float>()[5 * 80 + 3], 0.05);
  }
}

TEST(QuantizeGraph, HeavyTailsAreWarnedOf) {
  GraphBuilder b;
  const ValueId x = b.input("x");
  for (int i = 0; i < 5; ++i) {
    Tensor w = tensor_of({64, 64}, 10u + unsigned(i));
    // One weight of each group is far larger than the others.
    for (std::int64_t k = 0; k < w.size() && i == 2; ++k) {
      float& v = w.mutable_data<float>()[k];
      v = k / 64 % 32 == 0 ? v * 2 : v / 50;
    }
    b.output(
        b.node("MatMul", "m" + std::to_string(i), {x, b.constant("w" + std::to_string(i), w)}));
  }
  const auto reports = quantize(b.graph);
  const double usual = report_of(reports, "m0").sqnr_db[3];
  const double unusual = report_of(reports, "m2").sqnr_db[3];
  for (const LayerReport& r : reports) {
    EXPECT_EQ(r.warning.empty(), r.name != "m2" || usual - unusual < 6)
        << r.name << " " << r.sqnr_db[3];
  }
}

TEST(QuantizeGraph, WhatStaysFloatIsReportedWithItsReason) {
  GraphBuilder b;
  const ValueId x = b.input("x"), y = b.input("y");
  b.output(b.node("MatMul", "small", {x, b.constant("w0", tensor_of({8, 8}, 1))}));
  b.output(b.node("MatMul", "/head/out", {x, b.constant("w1", tensor_of({64, 64}, 2))}));
  b.output(b.node("MatMul", "attention", {x, y}));
  b.output(b.node("MatMul", "left", {b.constant("w2", tensor_of({64, 64}, 3)), x}));
  b.output(b.node("MatMul", "batched", {x, b.constant("w3", tensor_of({2, 64, 64}, 4))}));
  b.output(b.node("Conv", "depthwise", {x, b.constant("w4", tensor_of({64, 1, 9, 9}, 5))},
                  {{"group", std::int64_t{64}}}));
  b.output(b.node("Gemm", "turned", {x, b.constant("w5", tensor_of({64, 64}, 6))},
                  {{"transA", std::int64_t{1}}}));
  const std::size_t nodes = b.graph.nodes.size();
  const auto reports = quantize(b.graph, {.exclude = {"/head/*"}});
  const auto reason = [&](const char* name) { return report_of(reports, name).reason; };
  EXPECT_NE(reason("small").find("fewer than 4096"), std::string::npos);
  EXPECT_NE(reason("/head/out").find("/head/*"), std::string::npos);
  EXPECT_NE(reason("attention").find("not a constant"), std::string::npos);
  EXPECT_NE(reason("left").find("rank"), std::string::npos);
  EXPECT_NE(reason("batched").find("not one matrix"), std::string::npos);
  EXPECT_NE(reason("depthwise").find("group"), std::string::npos);
  EXPECT_NE(reason("turned"), "");
  for (const LayerReport& r : reports) {
    EXPECT_FALSE(r.quantized) << r.name;
    EXPECT_TRUE(r.sqnr_db.empty());
  }
  EXPECT_EQ(b.graph.nodes.size(), nodes);
}

TEST(QuantizeGraph, SmallestMatrixIsAnOption) {
  GraphBuilder b;
  b.output(b.node("MatMul", "m", {b.input("x"), b.constant("w", tensor_of({8, 8}, 1))}));
  EXPECT_TRUE(report_of(quantize(b.graph, {.min_elements = 64}), "m").quantized);
}

TEST(QuantizeGraph, ALayerThatCannotBeQuantizedStaysFloatAlone) {
  GraphBuilder b;
  Tensor bad = tensor_of({64, 64}, 2);
  bad.mutable_data<float>()[70] = std::numeric_limits<float>::quiet_NaN();
  const ValueId h =
      b.node("MatMul", "good", {b.input("x"), b.constant("w", tensor_of({64, 64}, 1))});
  b.output(b.node("MatMul", "broken", {h, b.constant("bad", bad)}));
  ASSERT_TRUE(fuse_linear(b.graph));
  const auto reports = quantize_graph(b.graph, {});
  ASSERT_TRUE(reports) << reports.status().to_line();
  EXPECT_TRUE(report_of(*reports, "good").quantized);
  EXPECT_FALSE(report_of(*reports, "broken").quantized);
  EXPECT_NE(report_of(*reports, "broken").reason.find("row 6, column 1 "), std::string::npos);
  EXPECT_EQ(node_of(b.graph, "broken").op_type, "Linear");
}

TEST(QuantizeGraph, WeightsThatWouldOverflowStayFloat) {
  for (const float factor : {0x1p70F, 0x1p50F}) {
    GraphBuilder b;
    Tensor w = tensor_of({64, 64}, 2);
    for (std::int64_t i = 0; i < w.size(); ++i) w.mutable_data<float>()[i] *= factor;
    b.output(b.node("MatMul", "m", {b.input("x"), b.constant("w", w)}));
    EXPECT_EQ(report_of(quantize(b.graph), "m").quantized, factor < 0x1p60F);
  }
}

// Rows of these tables are added to scores before a softmax, or choose an input: zero is zero.
TEST(QuantizeGraph, MasksAndOneHotTablesStayFloat) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float greatest = std::numeric_limits<float>::max();
  const auto look_up = [](const Tensor& table) {
    GraphBuilder b;
    b.output(b.node("Gather", "rows", {b.constant("table", table), b.input("i")}));
    const LayerReport report = report_of(quantize(b.graph), "rows");
    EXPECT_EQ(report.quantized, report.reason.empty());
    return report.quantized;
  };
  Tensor causal = tensor_of({80, 80}, 1), biased = tensor_of({80, 80}, 1);
  Tensor padded = tensor_of({80, 80}, 1);
  for (const float mask :
       {-1e4F, -65504.0F, -1e9F, -greatest, -infinity, 1e4F, infinity, 1.0F, -100.0F}) {
    for (std::int64_t i = 0; i < 6400; ++i) {
      const bool masked = i % 80 > i / 80;
      causal.mutable_data<float>()[i] = masked ? mask : 0;
      if (masked) biased.mutable_data<float>()[i] = mask;
    }
    EXPECT_FALSE(look_up(causal)) << mask;
    if (std::fabs(mask) >= 1e4F) {
      EXPECT_FALSE(look_up(biased)) << mask;
    }
  }
  // An embedding with a row of zeros for padding is one.
  for (std::int64_t c = 0; c < 80; ++c) padded.mutable_data<float>()[c] = 0;
  EXPECT_TRUE(look_up(padded));
  EXPECT_TRUE(look_up(tensor_of({80, 80}, 3)));
}

TEST(QuantizeGraph, ChecksItsOptionsEvenWithoutLayers) {
  Graph empty;
  EXPECT_EQ(quantize_graph(empty, {.planes = 0}).status().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(quantize_graph(empty, {.planes = 17}).status().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(quantize_graph(empty, {.group = 48}).status().code(), ErrorCode::invalid_argument);
  EXPECT_TRUE(quantize_graph(empty, {}));
}

}  // namespace
}  // namespace pbatch
