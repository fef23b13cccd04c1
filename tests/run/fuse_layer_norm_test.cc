// LayerNormalization that an exporter wrote out becomes one operator: found in all forms, not where
// something differs, and near to its definition.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "pbatch/session.h"
#include "tests/support/control_flow.h"

namespace pbatch {
namespace {

using namespace testing;

constexpr int kFloat = onnx::TensorProto::FLOAT;
constexpr std::int64_t kNormRows = 5, kCols = 48;
constexpr float kNormTolerance = 2e-5F;  // of the pass, for values of about 1

class FuseLayerNorm : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("PBATCH_WITHOUT"); }
};

void scalar(ModelBuilder& b, const std::string& name, float value) {
  b.initializer(name, {}, kFloat).add_float_data(value);
}

void set_axes(onnx::NodeProto& node, std::int64_t axis) {
  onnx::AttributeProto& axes = *node.add_attribute();
  axes.set_name("axes");
  axes.set_type(onnx::AttributeProto::INTS);
  axes.add_ints(axis);
}

struct NormForm {
  bool pow = true, two_differences = false, bias = true, scale_first = false;
  std::int64_t axis = -1;
};

ModelBuilder layer_norm(const NormForm& form) {
  ModelBuilder b(13);
  b.input("x", {kNormRows, kCols});
  b.output("y", {kNormRows, kCols});
  b.floats("g", {kCols}, random_floats(kCols, 2));
  b.floats("b", {kCols}, random_floats(kCols, 3));
  scalar(b, "two", 2.0F);
  scalar(b, "eps", 1e-3F);
  set_axes(b.node("ReduceMean", {"x"}, {"m"}, "mean"), form.axis);
  b.node("Sub", {"x", "m"}, {"d"}, "centre");
  if (form.two_differences) b.node("Sub", {"x", "m"}, {"d2"}, "centre2");
  const char* const d2 = form.two_differences ? "d2" : "d";
  if (form.pow) {
    b.node("Pow", {d2, "two"}, {"p"}, "square");
  } else {
    b.node("Mul", {d2, d2}, {"p"}, "square");
  }
  set_axes(b.node("ReduceMean", {"p"}, {"v"}, "variance"), form.axis);
  b.node("Add", {"v", "eps"}, {"a"}, "add");
  b.node("Sqrt", {"a"}, {"s"}, "root");
  b.node("Div", {"d", "s"}, {"q"}, "divide");
  const char* const last = form.bias ? "w" : "y";
  if (form.scale_first) {
    b.node("Mul", {"g", "q"}, {last}, "scale");
  } else {
    b.node("Mul", {"q", "g"}, {last}, "scale");
  }
  if (form.bias) b.node("Add", {"w", "b"}, {"y"}, "shift");
  return b;
}

void expect_layer_norm(const NormForm& form) {
  const ModelBuilder model = layer_norm(form);
  const Tensor x = tensor_of({kNormRows, kCols}, random_floats(kNormRows * kCols, 1));
  EXPECT_EQ(operators(load(model)),
            form.bias ? "shift:LayerNormalization " : "scale:LayerNormalization ");
  const std::vector<float> y = values_of(must_run(model, {{"x", x}})[0]);
  const std::vector<float> g = random_floats(kCols, 2), b = random_floats(kCols, 3);
  for (std::int64_t r = 0; r < kNormRows; ++r) {
    const float* const in = x.data<float>() + r * kCols;
    double mean = 0, variance = 0;
    for (int c = 0; c < kCols; ++c) mean += in[c] / double{kCols};
    for (int c = 0; c < kCols; ++c) variance += (in[c] - mean) * (in[c] - mean) / double{kCols};
    for (std::size_t c = 0; c < kCols; ++c) {
      const double want = (in[c] - mean) / std::sqrt(variance + 1e-3) * double{g[c]} +
                          (form.bias ? double{b[c]} : 0.0);
      EXPECT_NEAR(y[static_cast<std::size_t>(r * kCols) + c], want, kNormTolerance);
    }
  }
}

TEST_F(FuseLayerNorm, LayerNormalizationInEveryForm) {
  for (const bool pow : {true, false}) {
    for (const bool two : {true, false}) {
      for (const bool bias : {true, false}) {
        for (const bool first : {true, false}) expect_layer_norm({pow, two, bias, first});
      }
    }
  }
}

TEST_F(FuseLayerNorm, NotOverAnotherDimension) {
  NormForm form;
  form.axis = 0;
  EXPECT_EQ(operators(load(layer_norm(form))).find("LayerNormalization"), std::string::npos);
}

// What the parts made is still there for who else reads it.
TEST_F(FuseLayerNorm, PartsThatOthersReadStay) {
  ModelBuilder model = layer_norm({});
  model.output("d", {kNormRows, kCols});
  const Tensor x = tensor_of({kNormRows, kCols}, random_floats(kNormRows * kCols, 1));
  const auto made = must_run(model, {{"x", x}});
  const auto alone = must_run(layer_norm({}), {{"x", x}});
  EXPECT_EQ(values_of(made[0]), values_of(alone[0]));
  EXPECT_EQ(operators(load(model)), "mean:ReduceMean centre:Sub shift:LayerNormalization ");
}

TEST_F(FuseLayerNorm, IsLeftOutByName) {
  setenv("PBATCH_WITHOUT", "fuse_activations", 1);
  EXPECT_NE(operators(load(layer_norm({}))).find("LayerNormalization"), std::string::npos);
  setenv("PBATCH_WITHOUT", "fuse_activations,fuse_layer_norm", 1);
  EXPECT_EQ(operators(load(layer_norm({}))).find("LayerNormalization"), std::string::npos);
  setenv("PBATCH_WITHOUT", "fuse_all", 1);
  const auto session = Session::load(write(layer_norm({})));
  ASSERT_FALSE(session);
  EXPECT_EQ(session.status().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace pbatch
