#include "format/bit_allocation.h"

#include <gtest/gtest.h>

#include "tests/support/scratch.h"

namespace pbatch {
namespace {

using testing::Scratch;

BitAllocation an_allocation() {
  BitAllocation made;
  made.model = "net \"4\".onnx";
  made.weights_checksum = "0123abcd";
  made.layers = {{"fc2", {3, 8}}, {"fc1", {16, 16}}, {"a/b", {32, 32}}};
  made.target = "max-error 0.01";
  made.measured_error = 0.0095;
  made.weight_bytes = 1000;
  return made;
}

TEST(BitAllocationText, ARoundTripKeepsWhatRunsNeed) {
  const BitAllocation before = an_allocation();
  const Result<BitAllocation> after = parse_allocation(allocation_json(before));
  ASSERT_TRUE(after) << after.status().to_line();
  EXPECT_EQ(after->model, before.model);
  EXPECT_EQ(after->weights_checksum, before.weights_checksum);
  EXPECT_EQ(after->layers, before.layers);
}

TEST(BitAllocationText, KeysMayBeAdded) {
  const auto made = parse_allocation(
      R"({"pbatch_allocation": 1, "model": "m", "weights_checksum": "c", "why": [1],
          "layers": [{"name": "a", "weight_bits": 2, "activation_bits": 8, "more": {}}]})");
  ASSERT_TRUE(made) << made.status().to_line();
  EXPECT_EQ(made->layers[0].second, (LayerPrecision{2, 8}));
}

void expect_error(const std::string& text, ErrorCode code, const std::string& part) {
  const Result<BitAllocation> read = parse_allocation(text);
  ASSERT_FALSE(read) << text;
  EXPECT_EQ(read.status().code(), code) << text;
  EXPECT_NE(read.status().to_line().find(part), std::string::npos) << read.status().to_line();
  EXPECT_FALSE(read.status().remedy().empty()) << text;
}

std::string with_layers(const std::string& layers) {
  return R"({"pbatch_allocation": 1, "model": "m", "weights_checksum": "c", "layers": [)" + layers +
         "]}";
}

TEST(BitAllocationText, WhatIsNoAllocationIsNamed) {
  const auto malformed = ErrorCode::malformed;
  expect_error("", malformed, "not a JSON object");
  expect_error("{\"pbatch_allocation\": 1", malformed, "not a JSON object");
  expect_error("[1]", malformed, "not a JSON object");
  expect_error("{}", malformed, "pbatch_allocation");
  expect_error(R"({"pbatch_allocation": 2})", ErrorCode::unsupported, "version 2");
  expect_error(R"({"pbatch_allocation": "1"})", ErrorCode::unsupported, "version \"1\"");
  expect_error(R"({"pbatch_allocation": 1})", malformed, "'model'");
  expect_error(R"({"pbatch_allocation": 1, "model": "m"})", malformed, "'weights_checksum'");
  expect_error(R"({"pbatch_allocation": 1, "model": "m", "weights_checksum": 7})", malformed,
               "'weights_checksum'");
  expect_error(R"({"pbatch_allocation": 1, "model": "m", "weights_checksum": "c", "layers": {}})",
               malformed, "'layers'");
  expect_error(R"({"pbatch_allocation": 1, "pbatch_allocation": 1})", malformed, "a name twice");
  // So deep that a function which calls itself for each level would have no stack left.
  const std::string deep = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  expect_error(R"({"pbatch_allocation": )" + deep + "}", malformed, "too deeply");
  expect_error(with_layers("3"), malformed, "'layers'");
  expect_error(with_layers("{}"), malformed, "'name'");
}

TEST(BitAllocationText, BitsAreCheckedWhereTheyStand) {
  const auto layer = [](const std::string& rest) { return "{\"name\": \"fc1\"" + rest + "}"; };
  const auto malformed = ErrorCode::malformed;
  expect_error(with_layers(layer("")), malformed, "'weight_bits' is missing");
  for (const char* bits : {"0", "17", "31", "-1", "1000000000000", "4.5", "\"4\"", "null"}) {
    expect_error(
        with_layers(layer(std::string(", \"weight_bits\": ") + bits + ", \"activation_bits\": 8")),
        malformed, std::string("node 'fc1': 'weight_bits' is ") + bits);
  }
  for (const char* bits : {"0", "7", "64", "true"}) {
    expect_error(
        with_layers(layer(std::string(", \"weight_bits\": 4, \"activation_bits\": ") + bits)),
        malformed, std::string("'activation_bits' is ") + bits);
  }
  const std::string good = layer(", \"weight_bits\": 4, \"activation_bits\": 8");
  expect_error(with_layers(good + "," + good), malformed, "node 'fc1': the layer is there twice");
}

class BitAllocationFile : public Scratch {};

TEST_F(BitAllocationFile, IsReadAndNamedInErrors) {
  const auto read = read_allocation(write("a.json", allocation_json(an_allocation())));
  ASSERT_TRUE(read) << read.status().to_line();
  EXPECT_EQ(read->layers, an_allocation().layers);
  EXPECT_EQ(read_allocation(path("none.json")).status().code(), ErrorCode::not_found);
  EXPECT_EQ(read_allocation(write("b.json", "x")).status().file(), path("b.json"));
}

}  // namespace
}  // namespace pbatch
