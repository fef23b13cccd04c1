#include "tools/allocate/layer_items.h"

#include <gtest/gtest.h>

#include "pbatch/quantize.h"
#include "tests/tools/allocate/small_session.h"

namespace pbatch {
namespace {

using testing::SmallSession;

class LayerItems : public SmallSession {};

std::vector<LayerPrecision> bits_of(const LayerItem& item) {
  std::vector<LayerPrecision> bits;
  for (const LayerChoice& choice : item.choices) bits.push_back(choice.bits);
  return bits;
}

TEST_F(LayerItems, AreEveryWidthOfEveryLayer) {
  const Session session = quantized({64, 128, 96}, {.planes = 6});
  const auto items = layer_items(session, {{4, 2}, {16, 8}, {}, false});
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].layers, std::vector<std::string>{"fc0"});
  EXPECT_EQ(bits_of(items[0]), (std::vector<LayerPrecision>{{2, 8}, {2, 16}, {4, 8}, {4, 16}}));
  // Bytes are those that a run counts.
  const auto bytes_at = [&](int bits) { return *session.weight_bytes(Precision::bits(bits)); };
  EXPECT_EQ(items[0].choices[2].bytes - items[0].choices[0].bytes + items[1].choices[2].bytes -
                items[1].choices[0].bytes,
            bytes_at(4) - bytes_at(2));
}

TEST_F(LayerItems, KeepToWhatLayersHave) {
  const Session session = quantized({64, 128, 96}, {.planes = 6});
  const auto items = layer_items(session, {{2, 8, 12}, {16}, {{"fc1", {32, 32}}}, false});
  EXPECT_EQ(bits_of(items[0]), (std::vector<LayerPrecision>{{2, 16}, {6, 16}}));
  EXPECT_EQ(bits_of(items[1]), (std::vector<LayerPrecision>{{32, 32}}));
}

TEST_F(LayerItems, RespectLeastWidths) {
  // 30 columns: planes of fc0 cost next to nothing.
  const Session session = quantized({30, 400, 300}, {.planes = 7, .floor_bits = 5});
  ASSERT_EQ(session.layers()[0].min_weight_bits, 5);
  const auto items = layer_items(session, {{2, 4, 6}, {16}, {}, false});
  EXPECT_EQ(bits_of(items[0]), (std::vector<LayerPrecision>{{5, 16}, {6, 16}}));
  EXPECT_EQ(bits_of(items[1]), (std::vector<LayerPrecision>{{2, 16}, {4, 16}, {6, 16}}));
}

TEST_F(LayerItems, LayersOfOneMatrixAreOne) {
  // fc0 and fc1 have the same weights.
  Graph graph = testing::mlp({96, 96, 96});
  graph.nodes[2].inputs[1] = graph.nodes[0].inputs[1];
  const Session session = quantized(graph, {.planes = 6});
  ASSERT_EQ(session.layers().size(), 2U);
  ASSERT_EQ(session.layers()[1].same_as, "fc0");
  const auto items = layer_items(session, {{2, 4}, {16}, {}, false});
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].layers, (std::vector<std::string>{"fc0", "fc1"}));
  EXPECT_EQ(items[0].choices[1].bytes - items[0].choices[0].bytes,
            *session.weight_bytes(Precision::bits(4)) - *session.weight_bytes(Precision::bits(2)));
  const Precision precision = precision_of(items, {1}, false);
  EXPECT_EQ(precision.of("fc0"), (LayerPrecision{4, 16}));
  EXPECT_EQ(precision.of("fc1"), (LayerPrecision{4, 16}));
}

TEST_F(LayerItems, ANearestChoiceIsThere) {
  const Session session = quantized({64, 128, 96}, {.planes = 6});
  const auto items = layer_items(session, {{2, 5}, {8, 16}, {{"fc1", {3, 8}}}, false});
  EXPECT_EQ(precision_of(items, nearest_choices(items, {4, 16}), true).of("fc0"),
            (LayerPrecision{5, 16}));
  EXPECT_EQ(precision_of(items, nearest_choices(items, {4, 16}), true).of("fc1"),
            (LayerPrecision{3, 8}));
}

}  // namespace
}  // namespace pbatch
