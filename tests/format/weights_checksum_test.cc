#include "format/weights_checksum.h"

#include <filesystem>

#include "tests/format/model_fixture.h"

namespace pbatch {
namespace {

using testing::matrix_of;

class WeightsChecksum : public testing::ModelFixture {};

TEST_F(WeightsChecksum, IsThatOfTheGraphWhereverItIs) {
  const Graph made = quantized();
  const std::string checksum = checksum_of_weights(made);
  EXPECT_EQ(checksum.size(), 8U);
  EXPECT_EQ(checksum_of_weights(quantized()), checksum);
  save(made);
  const Result<Graph> loaded = load_model(model_);
  ASSERT_TRUE(loaded) << loaded.status().to_line();
  EXPECT_EQ(checksum_of_weights(*loaded), checksum);
}

TEST_F(WeightsChecksum, ACutFileIsTheSameModel) {
  const Graph made = quantized();
  save(made);
  const auto tensors = testing::tensors_of(read(data_));
  std::filesystem::resize_file(data_, tensors[tensors.size() - 3].begin);
  const Result<Graph> cut = load_model(model_);
  ASSERT_TRUE(cut) << cut.status().to_line();
  ASSERT_LT(matrix_of(*cut, "fc0")->planes_available(), 5);
  EXPECT_EQ(checksum_of_weights(*cut), checksum_of_weights(made));
}

TEST_F(WeightsChecksum, TellsOtherWeightsApart) {
  const Graph made = quantized();
  const std::string checksum = checksum_of_weights(made);
  EXPECT_NE(checksum_of_weights(quantized(6)), checksum);
  EXPECT_NE(checksum_of_weights(quantized(5, 64)), checksum);

  const auto changed = [&](auto change) {
    Graph other = made;
    for (Node& node : other.nodes) {
      if (node.name == "fc0") change(node);
    }
    return checksum_of_weights(other);
  };
  EXPECT_NE(changed([](Node& node) { node.name = "fc9"; }), checksum);
  // One bit of the last plane: neither names nor scales tell.
  EXPECT_NE(changed([](Node& node) {
              auto matrix = std::make_shared<BitMatrix>(*node.matrix);
              auto plane = std::make_shared<std::vector<std::uint8_t>>(matrix->planes[4].begin(),
                                                                       matrix->planes[4].end());
              (*plane)[0] ^= 1;
              matrix->planes[4] = *plane;
              matrix->owner =
                  std::make_shared<std::pair<std::shared_ptr<const void>, decltype(plane)>>(
                      matrix->owner, plane);
              node.matrix = matrix;
            }),
            checksum);
  EXPECT_EQ(checksum_of_weights(testing::mlp({8, 8})), "");
}

}  // namespace
}  // namespace pbatch
