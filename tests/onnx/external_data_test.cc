// Tensors whose bytes stand in another file.
#include "onnx/external_data.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/onnx/model_builder.h"

namespace pbatch {
namespace {

using testing::find_value;
using testing::ModelBuilder;
using testing::TemporaryFolder;

void set_place(onnx::TensorProto& tensor,
               const std::vector<std::pair<std::string, std::string>>& place) {
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  tensor.clear_external_data();
  for (const auto& [key, value] : place) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

class OnnxExternalData : public ::testing::Test {
 protected:
  OnnxExternalData() : builder(testing::relu_model()) {
    const float values[] = {0, 1.5f, -2};  // w is the last two
    folder.write("weights.bin", std::string(reinterpret_cast<const char*>(values), sizeof values));
    w = &builder.initializer("w", {2});
  }

  Result<Graph> import_with(const std::vector<std::pair<std::string, std::string>>& place) {
    set_place(*w, place);
    return import_onnx(folder.write("model.onnx", builder.bytes()));
  }
  void expect_error(const std::vector<std::pair<std::string, std::string>>& place, ErrorCode code,
                    const std::string& part) {
    const Status status = import_with(place).status();
    EXPECT_EQ(status.code(), code) << status.to_line();
    EXPECT_NE(status.to_line().find(part), std::string::npos) << status.to_line();
    EXPECT_FALSE(status.remedy().empty()) << status.to_line();
  }

  TemporaryFolder folder;
  ModelBuilder builder;
  onnx::TensorProto* w;
};

TEST_F(OnnxExternalData, OffsetAndLength) {
  const Result<Graph> graph =
      import_with({{"location", "weights.bin"}, {"offset", "4"}, {"length", "8"}});
  ASSERT_TRUE(graph) << graph.status().to_line();
  const Tensor& tensor = *find_value(*graph, "w")->constant;
  EXPECT_EQ(tensor.shape(), Shape{2});
  EXPECT_EQ(tensor.data<float>()[0], 1.5f);
  EXPECT_EQ(tensor.data<float>()[1], -2.0f);
}

TEST_F(OnnxExternalData, OffsetIsZeroAndLengthIsTheShapesByDefault) {
  const Result<Graph> graph = import_with({{"location", "weights.bin"}, {"checksum", "unused"}});
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(find_value(*graph, "w")->constant->data<float>()[1], 1.5f);
}

TEST_F(OnnxExternalData, SubfoldersAndLinksInsideTheFolderAreFine) {
  std::filesystem::create_directory(folder / "data");
  std::filesystem::create_symlink("../weights.bin", folder / "data/link.bin");
  EXPECT_TRUE(import_with({{"location", "data/link.bin"}}));
}

TEST_F(OnnxExternalData, PlacesOutsideTheFolderAreRefused) {
  const TemporaryFolder outside;
  outside.write("secret", std::string(100, 'x'));
  expect_error({{"location", outside / "secret"}}, ErrorCode::malformed, "outside");
  expect_error({{"location", "../secret"}}, ErrorCode::malformed, "outside");
  expect_error({{"location", "data/../../secret"}}, ErrorCode::malformed, "outside");
  std::filesystem::create_symlink(outside / "secret", folder / "link");
  expect_error({{"location", "link"}}, ErrorCode::malformed, "outside");
  std::filesystem::create_directory_symlink(outside / "", folder / "folder");
  expect_error({{"location", "folder/secret"}}, ErrorCode::malformed, "outside");
}

// Hubs keep files by their hash in one folder and link to them from folders of each revision.
TEST_F(OnnxExternalData, LinkedModelsMayHaveTheirDataWhereTheyLead) {
  const TemporaryFolder outside;
  outside.write("secret", std::string(100, 'x'));
  namespace fs = std::filesystem;
  set_place(*w, {{"location", "model.onnx.data"}, {"offset", "4"}});
  fs::create_directories(folder / "snapshots/abc");
  fs::create_directory(folder / "blobs");
  folder.write("blobs/hash1", builder.bytes());
  fs::rename(folder / "weights.bin", folder / "blobs/hash2");
  const std::string model = folder / "snapshots/abc/model.onnx";
  const std::string data = model + ".data";
  fs::create_symlink("../../blobs/hash1", model);
  fs::create_symlink("../../blobs/hash2", data);
  const Result<Graph> graph = import_onnx(model);
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(find_value(*graph, "w")->constant->data<float>()[0], 1.5F);
  EXPECT_EQ(graph->files.size(), 2U);

  fs::remove(data);
  fs::create_symlink(outside / "secret", data);
  EXPECT_EQ(import_onnx(model).status().code(), ErrorCode::malformed);
  fs::remove(model);  // a model that is no link: the data of others is not its own
  folder.write("snapshots/abc/model.onnx", builder.bytes());
  fs::remove(data);
  fs::create_symlink("../../blobs/hash2", data);
  EXPECT_EQ(import_onnx(model).status().code(), ErrorCode::malformed);
}

TEST_F(OnnxExternalData, MissingFileDirectoryAndNoName) {
  expect_error({{"location", "none.bin"}}, ErrorCode::not_found, "none.bin");
  std::filesystem::create_directory(folder / "data");
  expect_error({{"location", "data"}}, ErrorCode::io, "directory");
  expect_error({{"location", ""}}, ErrorCode::malformed, "'w'");
  expect_error({}, ErrorCode::malformed, "'w'");
  expect_error({{"location", std::string("weights.bin\0x", 13)}}, ErrorCode::malformed,
               "file name");
}

TEST_F(OnnxExternalData, PlacesBeyondTheFileAreRefused) {
  expect_error({{"location", "weights.bin"}, {"offset", "5"}}, ErrorCode::malformed, "cut short");
  expect_error({{"location", "weights.bin"}, {"offset", "13"}}, ErrorCode::malformed, "cut short");
  expect_error({{"location", "weights.bin"}, {"offset", "9223372036854775807"}},
               ErrorCode::malformed, "cut short");
  w->set_dims(0, std::int64_t{1} << 40);
  expect_error({{"location", "weights.bin"}}, ErrorCode::malformed, "cut short");
}

TEST_F(OnnxExternalData, LengthMustFitTheShape) {
  expect_error({{"location", "weights.bin"}, {"length", "12"}}, ErrorCode::malformed, "'w'");
  expect_error({{"location", "weights.bin"}, {"length", "4"}}, ErrorCode::malformed, "'w'");
}

TEST_F(OnnxExternalData, NumbersMustBeNumbers) {
  for (const char* bad : {"-1", "4x", "", " 4", "99999999999999999999"}) {
    expect_error({{"location", "weights.bin"}, {"offset", bad}}, ErrorCode::malformed, "offset");
  }
}

TEST_F(OnnxExternalData, BoolsBecomeZeroAndOne) {
  folder.write("bools.bin", std::string("\x00\x07", 2));
  w->set_data_type(onnx::TensorProto::BOOL);
  const Result<Graph> graph = import_with({{"location", "bools.bin"}});
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(find_value(*graph, "w")->constant->data<std::uint8_t>()[1], 1);
}

TEST_F(OnnxExternalData, TensorAloneHasNoFolder) {
  set_place(*w, {{"location", "weights.bin"}});
  const std::string bytes = w->SerializeAsString();
  EXPECT_EQ(import_tensor_proto(bytes.data(), bytes.size()).status().code(),
            ErrorCode::unsupported);
}

// A reader of its own may answer with what is there.
class Nothing : public ExternalData {
 public:
  Result<Tensor> load(const std::string& tensor_name, DType type, const Shape& shape,
                      const std::string& location, std::int64_t offset,
                      std::int64_t length) override {
    seen = tensor_name + " " + dtype_name(type) + shape_to_string(shape) + " " + location + " " +
           std::to_string(offset) + " " + std::to_string(length);
    return Tensor::create(answer, {0});
  }
  DType answer = DType::f32;
  std::string seen;
};

TEST_F(OnnxExternalData, AnotherReaderMayLeaveDataOut) {
  set_place(*w, {{"location", "planes.safetensors"}, {"offset", "64"}});
  Nothing nothing;
  const Result<Graph> graph = builder.import(&nothing);
  ASSERT_TRUE(graph) << graph.status().to_line();
  EXPECT_EQ(nothing.seen, "w float32[2] planes.safetensors 64 -1");
  const Value& value = *find_value(*graph, "w");
  EXPECT_EQ(value.constant->size(), 0);
  EXPECT_EQ(value.dims->at(0).value, 2);
  nothing.answer = DType::u8;
  EXPECT_EQ(builder.import(&nothing).status().code(), ErrorCode::internal);
}

}  // namespace
}  // namespace pbatch
