#include "feed/free_dims.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pbatch {
namespace {

PortInfo port(const std::string& name, Shape shape, std::vector<std::string> names) {
  return {name, DType::f32, std::move(shape), std::move(names), false};
}

TEST(FreeDims, EqualNamesAreOneSizeAndSumsFollow) {
  const std::vector<PortInfo> inputs{port("x", {-1, -1, 8}, {"batch", "time", ""}),
                                     port("past", {-1, 2, -1}, {"batch", "", "past"}),
                                     port("mask", {-1, -1}, {"batch", "past + time"}),
                                     port("n", {-1}, {"past + 1"})};
  const FreeDims dims(inputs, {});
  const FreeDims::Sizes sizes{{"batch", 3}, {"time", 5}, {"past", 7}};
  EXPECT_EQ(dims.shape(inputs[0], sizes), (Shape{3, 5, 8}));
  EXPECT_EQ(dims.shape(inputs[1], sizes), (Shape{3, 2, 7}));
  EXPECT_EQ(dims.shape(inputs[2], sizes), (Shape{3, 12}));
  EXPECT_EQ(dims.shape(inputs[3], sizes), Shape{8});
  EXPECT_EQ(dims.describe(sizes), "batch=3, time=5, past=7");
  const auto candidates = dims.candidates();
  EXPECT_EQ(candidates[0], (FreeDims::Sizes{{"batch", 1}, {"time", 1}, {"past", 1}}));
  EXPECT_NE(std::find(candidates.begin(), candidates.end(),
                      FreeDims::Sizes{{"batch", 1}, {"time", 16}, {"past", 16}}),
            candidates.end());
}

TEST(FreeDims, NamelessOnesAreTheirOwnButForTheFirst) {
  const std::vector<PortInfo> inputs{port("x", {-1, -1}, {"", ""}), port("y", {-1, -1}, {"", ""})};
  const FreeDims dims(inputs, {});
  const FreeDims::Sizes sizes{{"first", 2}, {"x[1]", 3}, {"y[1]", 4}};
  EXPECT_EQ(dims.shape(inputs[0], sizes), (Shape{2, 3}));
  EXPECT_EQ(dims.shape(inputs[1], sizes), (Shape{2, 4}));
}

// A fully connected network whose file leaves the width of its input open.
TEST(FreeDims, SizesThatLayersReadAreTried) {
  LayerInfo wide, same, narrow;
  wide.cols = same.cols = 1575;
  narrow.cols = 256;
  const std::vector<std::int64_t> sizes = sizes_read_by({wide, same, narrow});
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{1575, 256}));
  const FreeDims dims({port("x", {-1, -1}, {"n", "features"})}, {}, 0, sizes);
  const auto candidates = dims.candidates();
  const FreeDims::Sizes wanted{{"n", 1}, {"features", 1575}};
  EXPECT_NE(std::find(candidates.begin(), candidates.end(), wanted), candidates.end());
}

TEST(FreeDims, OneMayBeLargeAndTheOthersOne) {
  const FreeDims dims(
      {port("sound", {-1, -1}, {"", ""}), port("state", {2, -1, 128}, {"", "", ""})}, {});
  const auto candidates = dims.candidates();
  const FreeDims::Sizes wanted{{"first", 1}, {"sound[1]", 512}, {"state[1]", 1}};
  EXPECT_NE(std::find(candidates.begin(), candidates.end(), wanted), candidates.end());
}

TEST(FreeDims, GivenShapesBindTheirNames) {
  const std::vector<PortInfo> inputs{port("x", {-1, 4}, {"n", ""}), port("y", {-1}, {"n"})};
  const FreeDims dims(inputs, {{"x", {6, 4}}});
  EXPECT_TRUE(dims.empty());
  EXPECT_EQ(dims.candidates().size(), 1u);
  EXPECT_EQ(dims.shape(inputs[1], {}), Shape{6});
}

}  // namespace
}  // namespace pbatch
