// Embeddings from bit-layers: rows by the formula of bit_matrix.h, alone and in a network.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "quantize/quantize_graph.h"
#include "quantize/quantize_matrix.h"
#include "run/find_op.h"
#include "tests/graph/graph_builder.h"
#include "tests/quantize/naive_decoder.h"
#include "tests/support/data_ops.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::gaussian;

struct Embedding {
  std::int64_t rows = 37, cols = 70;
  std::shared_ptr<const BitMatrix> matrix;
  std::unique_ptr<Op> op;

  Embedding() {
    const std::vector<float> table = gaussian(rows * cols, 1);
    const auto made = quantize_matrix({table.data(), rows, cols, cols, 1}, 11, 32, nullptr);
    EXPECT_TRUE(made) << made.status().to_line();
    matrix = made->matrix;
    Graph graph;
    Node node;
    node.name = "embed";
    node.op_type = "BitGather";
    node.domain = kPbatchDomain;
    node.opset = kPbatchOpset;
    node.inputs = {graph.add_value({.name = "ids", .dtype = DType::i64})};
    node.outputs = {graph.add_value({.name = "y"})};
    node.matrix = matrix;
    const Result<OpFactory> factory = find_op(node);
    EXPECT_TRUE(factory) << factory.status().to_line();
    auto built = (*factory)(graph, node);
    EXPECT_TRUE(built) << built.status().to_line();
    op = std::move(built).value();
  }

  Result<Tensor> run(const Tensor& indices, const Precision& precision, int threads = 1) const {
    ThreadPool pool(threads);
    BufferPool buffers;
    RunContext context{pool, buffers, precision, FloatBackend::fastest};
    const Tensor* const inputs[] = {&indices};
    Tensor outputs[1];
    PBATCH_RETURN_IF_ERROR(op->run(context, inputs, outputs));
    return outputs[0];
  }
};

TEST(BitGather, GivesTheRowsOfThePrefix) {
  const Embedding e;
  const std::vector<std::int64_t> rows{36, 0, 17, 17, 5, 31};
  const Tensor indices =
      testing::make_tensor<std::int32_t>(DType::i32, {3, 2}, {36, -37, 17, -20, 5, -6});
  for (const int bits : {1, 2, 3, 4, 8, 9, 11, 32}) {
    const Result<Tensor> y = e.run(indices, Precision::bits(bits));
    ASSERT_TRUE(y) << y.status().to_line();
    ASSERT_EQ(y->shape(), (Shape{3, 2, e.cols}));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::int64_t c = 0; c < e.cols; ++c) {
        // Exact in double but for one rounding to float.
        const int width = bits == 32 ? 11 : bits;
        ASSERT_EQ(y->data<float>()[static_cast<std::int64_t>(i) * e.cols + c],
                  static_cast<float>(testing::decode_weight(*e.matrix, width, rows[i], c)))
            << bits << " bits, row " << rows[i] << ", column " << c;
      }
    }
  }
}

TEST(BitGather, ShapesOfIndices) {
  const Embedding e;
  const Precision p = Precision::bits(4);
  EXPECT_EQ(e.run(testing::int64_scalar(3), p)->shape(), (Shape{e.cols}));
  EXPECT_EQ(e.run(*Tensor::create(DType::i64, {2, 0}), p)->shape(), (Shape{2, 0, e.cols}));
  std::vector<std::int64_t> many(5000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int64_t>(i * 7 % 37);
  const Tensor ids = testing::int64s(many);
  EXPECT_EQ(testing::values_of(*e.run(ids, p, 1)), testing::values_of(*e.run(ids, p, 3)));
}

TEST(BitGather, RefusesWhatItCannotLookUp) {
  const Embedding e;
  const auto error = [&](const Tensor& indices, int bits) {
    const Result<Tensor> y = e.run(indices, Precision::bits(bits));
    return y ? Status::ok() : y.status();
  };
  for (const std::int64_t index : {std::int64_t{37}, std::int64_t{-38}, testing::kMin}) {
    const Status s = error(testing::int64s({0, index}), 4);
    EXPECT_EQ(s.code(), ErrorCode::invalid_argument);
    EXPECT_NE(s.message().find(std::to_string(index)), std::string::npos) << s.message();
    EXPECT_NE(s.message().find("37"), std::string::npos) << s.message();
  }
  EXPECT_FALSE(error(testing::floats({1}, {1.0F}), 4));
  EXPECT_EQ(error(testing::int64s({0}), 12).code(), ErrorCode::precision_unavailable);
}

// Embedding, then a layer on it; each has its own precision.
class EmbeddingNetwork : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::GraphBuilder b;
    const ValueId ids = b.input("ids", std::vector<Dim>{{-1, "N"}});
    b.graph.values[static_cast<std::size_t>(ids)].dtype = DType::i64;
    const auto normal = [](Shape shape, unsigned seed) {
      return testing::floats(shape, gaussian(shape[0] * shape[1], seed));
    };
    const ValueId x = b.node("Gather", "embed", {b.constant("table", normal({90, 64}, 1)), ids});
    b.output(b.node("MatMul", "out", {x, b.constant("w", normal({64, 80}, 2))}));
    b.output(x);  // or the two would be folded into one table
    path_ = testing::temp_path("embedding.onnx");
    model_ = testing::temp_path("q.onnx");
    testing::write_onnx(b.graph, path_);
    const Result<QuantizeReport> made =
        quantize_file(path_, model_, {.planes = 6, .floor_bits = 1, .scheme = Scheme::plain});
    ASSERT_TRUE(made) << made.status().to_line();
    ASSERT_EQ(made->layers.size(), 2u);
    EXPECT_EQ(made->layers[0].op_type, "Gather");
    EXPECT_EQ(made->layers[0].rows, 90);
    EXPECT_EQ(made->layers[0].cols, 64);
    EXPECT_TRUE(made->layers[0].quantized);
    EXPECT_EQ(made->layers[0].sqnr_db.size(), 6u);
  }
  std::vector<float> run(const Session& session, const Precision& precision) {
    const auto y = session.run({{{"ids", testing::int64s({3, 89, -1})}}}, precision);
    EXPECT_TRUE(y) << y.status().to_line();
    return y ? testing::values_of((*y)[0]) : std::vector<float>{};
  }
  std::string path_, model_;
};

TEST_F(EmbeddingNetwork, IsStoredAndSwitchedByItsName) {
  const SessionOptions one_library{.threads = 1, .float_backend = FloatBackend::openblas};
  const Result<Session> session = Session::load(model_, one_library);
  ASSERT_TRUE(session) << session.status().to_line();
  ASSERT_EQ(session->layers().size(), 2u);
  EXPECT_EQ(session->layers()[0].name, "embed");
  EXPECT_EQ(session->layers()[0].op_type, "BitGather");
  const Result<Session> in_memory =
      Session::quantize_in_memory(path_, {.planes = 6, .floor_bits = 1}, one_library);
  ASSERT_TRUE(in_memory);
  Precision mixed = Precision::bits(6);
  mixed.layers["embed"] = {1, 16};
  for (const Precision& p : {Precision::bits(1), Precision::bits(6), Precision::f32(), mixed}) {
    EXPECT_EQ(run(*session, p), run(*in_memory, p));
  }
  EXPECT_NE(run(*session, mixed), run(*session, Precision::bits(6)));
  // With floats everywhere else, an embedding of all planes is the float network.
  mixed = Precision::f32();
  mixed.layers["embed"] = {6, 8};
  EXPECT_EQ(run(*session, mixed), run(*session, Precision::f32()));

  const auto plan = session->plan(Precision::bits(3));
  ASSERT_TRUE(plan);
  EXPECT_EQ((*plan)[0].kernel, "rows");
  EXPECT_EQ((*plan)[0].weight_bits, 3);
  EXPECT_EQ((*plan)[0].weight_bytes, 3 * (96 * 64 / 8) + 2 * 90 + 90 * 4);
}

TEST_F(EmbeddingNetwork, OutOfRangeIsAnErrorThatNamesTheNode) {
  const Result<Session> session = Session::load(model_, {.threads = 1});
  ASSERT_TRUE(session);
  const auto y = session->run({{{"ids", testing::int64s({90})}}}, Precision::bits(4));
  ASSERT_FALSE(y);
  EXPECT_EQ(y.status().node(), "embed");
}

TEST_F(EmbeddingNetwork, AFileWithoutItsFirstPlaneIsAnErrorAtAnyPrecision) {
  const std::string data = model_.substr(0, model_.size() - 5) + ".safetensors";
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(data));
  // 100 bytes of the first plane are left, of the 6 of both matrices.
  std::filesystem::resize_file(data,
                               static_cast<std::uintmax_t>(size - 6 * (96 + 80) * 64 / 8 + 100));
  const Result<Session> session = Session::load(model_, {.threads = 1});
  ASSERT_TRUE(session) << session.status().to_line();
  for (const int bits : {1, 32}) {
    const auto y = session->run({{{"ids", testing::int64s({0})}}}, Precision::bits(bits));
    ASSERT_FALSE(y);
    EXPECT_EQ(y.status().code(), ErrorCode::precision_unavailable) << y.status().to_line();
  }
}

TEST(EmbeddingReport, OnlyTablesOfRowsAreCandidates) {
  testing::GraphBuilder b;
  const ValueId ids = b.input("ids"), x = b.input("x");
  const Tensor table = testing::floats({64, 64}, gaussian(64 * 64, 1));
  const ValueId t = b.constant("t", table);
  b.output(b.node("Gather", "columns", {t, ids}, {{"axis", std::int64_t{1}}}));
  b.output(b.node("Gather", "of_input", {x, ids}));
  b.output(b.node("Gather", "of_integers", {b.constant("i", testing::int64s({1, 2, 3})), ids}));
  b.output(b.node("Gather", "left_out", {t, ids}));
  b.output(
      b.node("Gather", "small", {b.constant("s", testing::floats({2, 2}, {1, 2, 3, 4})), ids}));
  b.output(b.node("Gather", "rows", {t, ids}, {{"axis", std::int64_t{-2}}}));
  const auto reports = quantize_graph(b.graph, {.exclude = {"left*"}});
  ASSERT_TRUE(reports) << reports.status().to_line();
  ASSERT_EQ(reports->size(), 3u);
  EXPECT_NE((*reports)[0].reason.find("left*"), std::string::npos);
  EXPECT_NE((*reports)[1].reason.find("fewer than"), std::string::npos);
  EXPECT_TRUE((*reports)[2].quantized);
  EXPECT_EQ(testing::ops(b.graph), "Gather Gather Gather Gather Gather pbatch.BitGather");
  EXPECT_FALSE(b.graph.nodes.back().has_attr("axis"));
}

}  // namespace
}  // namespace pbatch
