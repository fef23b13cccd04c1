// What networks are fed that nobody gave inputs for.
#include "calibrate/made_up_inputs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "calibrate/calibration.h"
#include "format/model_file.h"
#include "run/simplify.h"
#include "tests/support/control_flow.h"
#include "tests/support/networks.h"
#include "tests/support/scratch.h"

namespace pbatch {
namespace {

using testing::free_dims;
using testing::GraphFiller;
using testing::kInt64;
using testing::ModelBuilder;
using testing::random_floats;
using testing::subgraph;

class MadeUpInputs : public testing::Scratch {
 protected:
  std::unique_ptr<Calibration> calibrate(const ModelBuilder& builder) {
    Result<Graph> graph = load_model(testing::write(builder));
    EXPECT_TRUE(graph) << graph.status().to_line();
    EXPECT_TRUE(simplify_to_quantize(*graph));
    QuantizeOptions options;
    options.min_elements = 1;
    options.scheme = Scheme::compensated;
    auto made = Calibration::create(*graph, options, pool_);
    EXPECT_TRUE(made) << made.status().to_line();
    return made ? std::move(made).value() : nullptr;
  }
  // Vectors that the layer was fed; 0: it does not run.
  static std::int64_t vectors(Calibration& calibration, const std::string& layer) {
    const auto moments = calibration.moments_of(layer);
    EXPECT_TRUE(moments) << moments.status().to_line();
    return moments && *moments != nullptr ? (*moments)->fit.at(0).count : 0;
  }
  ThreadPool pool_{2};
};

void add_product(GraphFiller graph, const std::string& name, std::int64_t cols, std::int64_t rows,
                 const char* from, const char* to) {
  const std::string weights = name + "_w";
  graph.floats(weights, {cols, rows}, random_floats(static_cast<std::size_t>(cols * rows), 3));
  graph.node("MatMul", {from, weights.c_str()}, {to}, name);
}

// y = a product if `comparison` holds for the rate, else another one that has `others` rows.
ModelBuilder two_rates(const std::string& comparison, std::int64_t others) {
  ModelBuilder builder;
  builder.input("x", {4, 16});
  builder.input("rate", {}, kInt64);
  free_dims(builder.output("y", {4, 8}), 2);
  builder.initializer("known", {}, kInt64).add_int64_data(16000);
  builder.node(comparison, {"rate", "known"}, {"c"});
  onnx::NodeProto& node = builder.node("If", {"c"}, {"y"}, "choice");
  GraphFiller then_branch = subgraph(node, "then_branch");
  add_product(then_branch, "wide", 16, 32, "x", "t");
  then_branch.output("t", {4, 32});
  GraphFiller else_branch = subgraph(node, "else_branch");
  add_product(else_branch, "other", 16, others, "x", "e");
  else_branch.output("e", {4, others});
  return builder;
}

TEST_F(MadeUpInputs, TakeTheBranchOfMoreWeights) {
  for (const char* comparison : {"Equal", "Less", "Greater"}) {
    SCOPED_TRACE(comparison);
    const auto smaller = calibrate(two_rates(comparison, 8));
    EXPECT_GT(vectors(*smaller, "choice/then/wide"), 0);
    EXPECT_EQ(vectors(*smaller, "choice/else/other"), 0);
    const auto larger = calibrate(two_rates(comparison, 64));
    EXPECT_EQ(vectors(*larger, "choice/then/wide"), 0);
    EXPECT_GT(vectors(*larger, "choice/else/other"), 0);
  }
}

// The comparison may stand inside of a branch.
TEST_F(MadeUpInputs, SeeComparisonsInBranches) {
  ModelBuilder builder;
  builder.input("x", {4, 16});
  builder.input("rate", {}, kInt64);
  builder.input("inside", {}, testing::kBool);
  free_dims(builder.output("y", {4, 8}), 2);
  onnx::NodeProto& outer = builder.node("If", {"inside"}, {"y"}, "outer");
  GraphFiller then_branch = subgraph(outer, "then_branch");
  then_branch.initializer("known", {}, kInt64).add_int64_data(48000);
  then_branch.node("Equal", {"rate", "known"}, {"c"});
  onnx::NodeProto& inner = then_branch.node("If", {"c"}, {"t"}, "inner");
  then_branch.output("t", {4, 8});
  GraphFiller wide = subgraph(inner, "then_branch");
  add_product(wide, "wide", 16, 32, "x", "w");
  wide.output("w", {4, 32});
  GraphFiller narrow = subgraph(inner, "else_branch");
  add_product(narrow, "narrow", 16, 8, "x", "n");
  narrow.output("n", {4, 8});
  GraphFiller else_branch = subgraph(outer, "else_branch");
  else_branch.node("Neg", {"x"}, {"e"});
  else_branch.output("e", {4, 16});
  const auto made = calibrate(builder);
  EXPECT_GT(vectors(*made, "outer/then/inner/then/wide"), 0);
}

// Sound beside a state of one item: a batch does not run, and a second of it does.
TEST_F(MadeUpInputs, AreLongWhereNothingElseMayBe) {
  ModelBuilder builder;
  auto& x = builder.input("x", {1, 1, 8});
  x.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(1)->clear_dim_value();
  auto& state = builder.input("state", {1, 8});
  state.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->clear_dim_value();
  free_dims(builder.output("y", {1, 1, 8}), 3);
  onnx::TensorProto& one = builder.initializer("one", {2}, kInt64);
  one.add_int64_data(1);
  one.add_int64_data(8);
  builder.node("Reshape", {"state", "one"}, {"only"});
  add_product(builder, "sound", 8, 8, "x", "p");
  builder.node("Add", {"p", "only"}, {"y"});
  const auto made = calibrate(builder);
  const std::int64_t count = vectors(*made, "sound");
  EXPECT_GT(count, 0);
  EXPECT_EQ(count % 16000, 0);
}

// What a convolution over `channels` of a signal reads: how neighbours go together.
double correlation(const InputMoments& m) { return m.moments[1] / m.moments[0]; }

ModelBuilder convolution(std::int64_t channels) {
  ModelBuilder builder;
  builder.input("x", {1, channels, 400});
  free_dims(builder.output("y", {1, 32, 49}), 3);
  builder.floats("w", {32, channels, 16},
                 random_floats(static_cast<std::size_t>(32 * channels * 16), 3));
  onnx::NodeProto& node = builder.node("Conv", {"x", "w"}, {"y"}, "filter");
  onnx::AttributeProto& strides = *node.add_attribute();
  strides.set_name("strides");
  strides.set_type(onnx::AttributeProto::INTS);
  strides.add_ints(8);
  return builder;
}

TEST_F(MadeUpInputs, SoundHasASpectrum) {
  const auto sound = calibrate(convolution(1)), white = calibrate(convolution(2));
  const auto of_sound = sound->moments_of("filter"), of_white = white->moments_of("filter");
  ASSERT_TRUE(of_sound && *of_sound && of_white && *of_white);
  EXPECT_GT(correlation((*of_sound)->fit.at(0)), 0.3);
  EXPECT_LT(std::abs(correlation((*of_white)->fit.at(0))), 0.1);
  // Codes are judged on white inputs, too, as much as on these.
  EXPECT_NEAR(correlation((*of_sound)->check.at(0)), correlation((*of_sound)->fit.at(0)) / 2, 0.15);
}

}  // namespace
}  // namespace pbatch
