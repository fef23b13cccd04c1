#include "format/safetensors.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/scratch.h"

namespace pbatch {
namespace {

// A file by the container's definition: length, JSON, data.
std::string container(const std::string& json, const std::string& data) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(json.size() >> (8 * i) & 0xff);
  return file + json + data;
}

Result<SafetensorsFile> parse(const std::string& bytes) {
  return SafetensorsFile::parse({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                                static_cast<std::int64_t>(bytes.size()), "f.safetensors");
}

std::string entry(const std::string& name, int begin, int end) {
  return "\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
         R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

TEST(Safetensors, ReadsWhatTheDefinitionSays) {
  const std::string json =
      R"({"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[3,11]},)"
      R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
      R"("none":{"dtype":"I64","shape":[0,5],"data_offsets":[3,3]}}  )";
  const std::string bytes = container(json, "xyz12345678");
  const auto file = parse(bytes);
  ASSERT_TRUE(file) << file.status().to_line();
  EXPECT_EQ(file->metadata().at("k"), "v");
  ASSERT_EQ(file->entries().size(), 3u);
  const SafetensorsEntry* a = file->find("a");
  const SafetensorsEntry* b = file->find("b");
  ASSERT_TRUE(a != nullptr && b != nullptr);
  EXPECT_EQ(b->dtype, DType::f32);
  EXPECT_EQ(b->shape, (Shape{1, 2}));
  EXPECT_EQ(a->begin, static_cast<std::int64_t>(8 + json.size()));
  ASSERT_TRUE(file->holds(*a) && file->holds(*b));
  EXPECT_EQ(
      bytes.substr(static_cast<std::size_t>(b->begin), static_cast<std::size_t>(b->end - b->begin)),
      "12345678");
  EXPECT_EQ(file->find("c"), nullptr);
}

TEST(Safetensors, AShortFileHoldsItsFirstTensors) {
  const std::string whole =
      container("{" + entry("a", 0, 4) + "," + entry("b", 4, 8) + "}", "aaaabbbb");
  for (std::size_t cut = 0; cut <= 8; ++cut) {
    const auto file = parse(whole.substr(0, whole.size() - cut));
    ASSERT_TRUE(file) << cut;
    EXPECT_EQ(file->holds(*file->find("a")), cut <= 4);
    EXPECT_EQ(file->holds(*file->find("b")), cut == 0);
  }
  // Without the whole header nothing can be said.
  for (std::size_t size = 0; size + 8 < whole.size(); ++size) {
    const auto file = parse(whole.substr(0, size));
    ASSERT_FALSE(file) << size;
    EXPECT_EQ(file.status().code(), ErrorCode::malformed);
    EXPECT_EQ(file.status().file(), "f.safetensors");
  }
}

TEST(Safetensors, HostileHeaders) {
  const auto refused = [](const std::string& json, const std::string& data = "12345678") {
    const auto file = parse(container(json, data));
    return !file && file.status().code() == ErrorCode::malformed;
  };
  const auto tensor = [](const std::string& fields) { return R"({"t":{)" + fields + "}}"; };
  ASSERT_FALSE(refused(tensor(R"("dtype":"U8","shape":[8],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("null"));
  EXPECT_TRUE(refused("[]"));
  EXPECT_TRUE(refused("{"));
  EXPECT_TRUE(refused(R"({"t":5})"));
  EXPECT_TRUE(refused(tensor(R"("shape":[8],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"Q3","shape":[8],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":3,"shape":[8],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":8,"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[-8],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[8.0],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[7],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"F32","shape":[8],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[8],"data_offsets":[8,0])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[8],"data_offsets":[0])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[8],"data_offsets":[0,8,9])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[8],"data_offsets":["0","8"])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[8],"data_offsets":[-8,0])")));
  // Sizes whose product wraps around to something small.
  EXPECT_TRUE(
      refused(tensor(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])")));
  EXPECT_TRUE(
      refused(tensor(R"("dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8])")));
  EXPECT_TRUE(refused(tensor(
      R"("dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615])")));
  EXPECT_TRUE(refused(tensor(
      R"("dtype":"U8","shape":[8],"data_offsets":[9223372036854775800,9223372036854775808])")));
  EXPECT_TRUE(refused(tensor(R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8],)"
                             R"("data_offsets":[0,8])")));
  EXPECT_TRUE(refused("{" + entry("a", 0, 4) + "," + entry("b", 3, 8) + "}"));  // overlap
  EXPECT_TRUE(refused("{" + entry("a", 0, 4) + "," + entry("b", 5, 8) + "}"));  // hole
  EXPECT_TRUE(refused("{" + entry("a", 1, 8) + "}"));                           // hole at the start
  EXPECT_TRUE(refused("{" + entry("a", 0, 8) + "}", "123456789"));  // bytes behind the end
  EXPECT_TRUE(refused("{" + entry("a", 0, 8) + "," + entry("a", 0, 8) + "}"));  // twice
  EXPECT_TRUE(refused("{" + entry("\xff", 0, 8) + "}"));                        // not UTF-8
  EXPECT_TRUE(refused(R"({"__metadata__":{"k":1},)" + entry("a", 0, 8) + "}"));
  EXPECT_TRUE(refused(R"({"__metadata__":[],)" + entry("a", 0, 8) + "}"));
  EXPECT_TRUE(refused(R"({"__metadata__":{"k":"v","k":"w"},)" + entry("a", 0, 8) + "}"));
  EXPECT_TRUE(refused(std::string(1 << 20, '[')));
  EXPECT_TRUE(refused(R"({"t":)" + std::string(100000, '[') + std::string(100000, ']') + "}"));
}

TEST(Safetensors, TheHeaderLengthIsNotTrusted) {
  for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{1} << 32, ~std::uint64_t{0},
                                     (std::uint64_t{1} << 63) - 8}) {
    std::string file;
    for (int i = 0; i < 8; ++i) file += static_cast<char>(length >> (8 * i) & 0xff);
    const auto parsed = parse(file + "{}");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.status().code(), ErrorCode::malformed);
  }
}

class SafetensorsFiles : public testing::Scratch {};

TEST_F(SafetensorsFiles, WhatIsWrittenIsThere) {
  const std::string f32(24, 'f'), u8(5, 'u');
  const auto bytes = [](const std::string& s) {
    return std::span(reinterpret_cast<const std::uint8_t*>(s.data()), s.size());
  };
  SafetensorsWriter writer;
  writer.add("first \"quoted\" \n", DType::f32, {2, 3}, bytes(f32));
  writer.add("second", DType::u8, {5}, bytes(u8));
  writer.set_metadata("key", "value");
  EXPECT_EQ(writer.data_size(), 29);
  const Result<std::string> header = writer.header();
  ASSERT_TRUE(header);
  EXPECT_EQ(header->size() % 64, 0u);

  // The header once more, by another reader.
  const auto json = nlohmann::json::parse(header->substr(8));
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | static_cast<std::uint8_t>((*header)[std::size_t(i)]);
  EXPECT_EQ(length, header->size() - 8);
  EXPECT_EQ(json["__metadata__"]["key"], "value");
  EXPECT_EQ(json["first \"quoted\" \n"]["dtype"], "F32");
  EXPECT_EQ(json["second"]["data_offsets"], (std::vector<int>{24, 29}));

  const auto file = SafetensorsFile::open(write("f.safetensors", *header + f32 + u8));
  ASSERT_TRUE(file) << file.status().to_line();
  const SafetensorsEntry* second = file->find("second");
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->begin, static_cast<std::int64_t>(header->size()) + 24);
  std::string read(5, '?');
  ASSERT_TRUE(file->read(*second, read.data()));
  EXPECT_EQ(read, u8);
  std::filesystem::resize_file(path("f.safetensors"), header->size() + 28);
  EXPECT_EQ(file->read(*second, read.data()).code(), ErrorCode::io);
  EXPECT_FALSE(SafetensorsFile::open(path("f.safetensors"))->holds(*second));
}

TEST_F(SafetensorsFiles, MissingFilesAndFolders) {
  EXPECT_EQ(SafetensorsFile::open(path("absent")).status().code(), ErrorCode::not_found);
  EXPECT_EQ(SafetensorsFile::open(folder_.string()).status().code(), ErrorCode::io);
  EXPECT_EQ(SafetensorsFile::open(write("empty", "")).status().code(), ErrorCode::malformed);
}

TEST(Crc32, IsThatOfIso3309) {
  const std::string check = "123456789";  // the catalogued check value
  EXPECT_EQ(crc32_hex({reinterpret_cast<const std::uint8_t*>(check.data()), check.size()}),
            "cbf43926");
  EXPECT_EQ(crc32_hex({}), "00000000");
  Crc32 pieces;
  for (const char c : check) pieces.add({reinterpret_cast<const std::uint8_t*>(&c), 1});
  EXPECT_EQ(pieces.hex(), "cbf43926");
}

}  // namespace
}  // namespace pbatch
