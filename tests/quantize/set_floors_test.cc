#include "quantize/set_floors.h"

#include <gtest/gtest.h>

#include "graph/bit_operators.h"
#include "quantize/quantize_graph.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

// Of each layer of an MLP whose layers have these widths.
std::vector<int> floors_of(const std::vector<std::int64_t>& sizes, QuantizeOptions options) {
  Graph graph = testing::mlp(sizes);
  for (Node& node : graph.nodes) {  // as simplify() leaves a Gemm
    if (node.op_type != "Gemm") continue;
    node.op_type = "Linear";
    node.domain = kPbatchDomain;
    node.attributes.clear();
    // [out, in] -> [in, out]; the numbers do not matter here.
    Value& w = graph.values[static_cast<std::size_t>(node.inputs[1])];
    w.constant = w.constant->reshaped({w.constant->dim(1), w.constant->dim(0)});
  }
  options.min_elements = 1;
  const auto reports = quantize_graph(graph, options);
  EXPECT_TRUE(reports) << reports.status().to_line();
  std::vector<int> floors;
  for (const LayerReport& report : *reports) floors.push_back(report.min_weight_bits);
  return floors;
}

TEST(SetFloors, FewColumnsAndSmallOutputLayersAreWide) {
  EXPECT_EQ(floors_of({64, 128, 128, 10}, {}), (std::vector<int>{1, 1, 8}));
  EXPECT_EQ(floors_of({32, 128, 128, 10}, {}), (std::vector<int>{8, 1, 8}));
  EXPECT_EQ(floors_of({33, 128, 128, 10}, {}), (std::vector<int>{1, 1, 8}));
}

TEST(SetFloors, AnOutputLayerOfMoreThanATenthIsNot) {
  // 64 x 64 and 64 x 7: 448 of 4544; 64 x 8: 512 of 4608, more than a tenth.
  EXPECT_EQ(floors_of({64, 64, 7}, {}), (std::vector<int>{1, 8}));
  EXPECT_EQ(floors_of({64, 64, 8}, {}), (std::vector<int>{1, 1}));
}

TEST(SetFloors, AreAtMostThePlanesStoredAndAsTheCallerSays) {
  EXPECT_EQ(floors_of({64, 128, 128, 10}, {.planes = 4}), (std::vector<int>{1, 1, 4}));
  EXPECT_EQ(floors_of({64, 128, 128, 10}, {.floor_bits = 6}), (std::vector<int>{1, 1, 6}));
  EXPECT_EQ(floors_of({64, 128, 128, 10}, {.floor_bits = 1}), (std::vector<int>{1, 1, 1}));
}

}  // namespace
}  // namespace pbatch
