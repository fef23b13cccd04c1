// Normalization by the root of the mean square that exporters wrote out becomes one operator: found
// in all forms, not where something differs, and near to its definition.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "graph/passes.h"
#include "tests/support/graph_maker.h"

namespace pbatch {
namespace {

using namespace testing;

constexpr std::int64_t kRmsRows = 5, kRmsCols = 48;

enum class Inverse { divide, reciprocal, one_over, power };

struct RmsForm {
  bool pow = true;
  Inverse inverse = Inverse::divide;
  bool scale_first = false;
  std::int64_t axis = -1;
  bool root_is_read = false, quotient_is_read = false;
};

ValueId number(GraphMaker& g, float value) {
  ValueId id = g.floats({1}, 0);
  Tensor& t = *g.graph({}).values[static_cast<std::size_t>(id)].constant;
  t = tensor_of({1}, {value});
  return id;
}

Graph rms_norm(const RmsForm& form) {
  GraphMaker g;
  const ValueId x = g.input("x");
  const ValueId square = form.pow ? g.add("Pow", {x, number(g, 2)}) : g.add("Mul", {x, x});
  const ValueId mean =
      g.add("ReduceMean", {square}, {{"axes", std::vector<std::int64_t>{form.axis}}});
  const ValueId sum = g.add("Add", {mean, number(g, 1e-3F)});
  const ValueId root = form.inverse == Inverse::power ? sum : g.add("Sqrt", {sum});
  ValueId q = kNoValue;
  switch (form.inverse) {
    case Inverse::divide:
      q = g.add("Div", {x, root});
      break;
    case Inverse::reciprocal:
      q = g.add("Mul", {x, g.add("Reciprocal", {root})});
      break;
    case Inverse::one_over:
      q = g.add("Mul", {g.add("Div", {number(g, 1), root}), x});
      break;
    case Inverse::power:
      q = g.add("Mul", {x, g.add("Pow", {sum, number(g, -0.5F)})});
      break;
  }
  const ValueId scale = g.floats({kRmsCols}, 2);
  const ValueId y = form.scale_first ? g.add("Mul", {scale, q}) : g.add("Mul", {q, scale});
  std::vector<ValueId> outputs = {y};
  if (form.root_is_read) outputs.push_back(root);
  if (form.quotient_is_read) outputs.push_back(q);
  return g.graph(outputs);
}

std::string operators_after(Graph graph) {
  EXPECT_TRUE(fuse_rms_norm(graph));
  EXPECT_TRUE(remove_unused(graph));
  return operators_of(graph);
}

Status fuse_and_clean(Graph& graph) {
  PBATCH_RETURN_IF_ERROR(fuse_rms_norm(graph));
  return remove_unused(graph);
}

TEST(FuseRmsNorm, InEveryForm) {
  const std::vector<float> values = random_floats(kRmsRows * kRmsCols, 1);
  const std::vector<float> scale = random_floats(kRmsCols, 2);
  const Tensor x = tensor_of({kRmsRows, kRmsCols}, values);
  for (const bool pow : {true, false}) {
    for (const Inverse inverse :
         {Inverse::divide, Inverse::reciprocal, Inverse::one_over, Inverse::power}) {
      for (const bool first : {true, false}) {
        Graph graph = rms_norm({pow, inverse, first});
        expect_same_function(graph, fuse_and_clean, x, "RmsNormalization", 2e-6);
        const Result<Program> program = Program::build(std::move(graph));
        Lane lane;
        const Tensor y = program->run(lane.context, {&x, 1}).value()[0];
        for (std::size_t r = 0; r < kRmsRows; ++r) {
          double mean = 0;
          for (std::size_t c = 0; c < kRmsCols; ++c) {
            const double v = values[r * kRmsCols + c];
            mean += v * v / double{kRmsCols};
          }
          for (std::size_t c = 0; c < kRmsCols; ++c) {
            const double wanted =
                double{values[r * kRmsCols + c]} / std::sqrt(mean + 1e-3) * double{scale[c]};
            EXPECT_NEAR(y.data<float>()[r * kRmsCols + c], wanted, 2e-6);
          }
        }
      }
    }
  }
}

TEST(FuseRmsNorm, NotWhereSomethingDiffers) {
  RmsForm rows;
  rows.axis = 0;
  EXPECT_EQ(operators_after(rms_norm(rows)).find("Rms"), std::string::npos);
  RmsForm read;
  read.quotient_is_read = true;
  EXPECT_EQ(operators_after(rms_norm(read)).find("Rms"), std::string::npos);
}

TEST(FuseRmsNorm, PartsThatOthersReadStay) {
  RmsForm form;
  form.root_is_read = true;
  EXPECT_EQ(operators_after(rms_norm(form)), "Pow ReduceMean Add Sqrt RmsNormalization");
}

}  // namespace
}  // namespace pbatch
