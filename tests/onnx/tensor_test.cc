// Initializers of every element type, raw and typed.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/onnx/model_builder.h"

namespace pbatch {
namespace {

using Proto = onnx::TensorProto;
using testing::ModelBuilder;

struct TypeCase {
  const char* name;
  Proto::DataType code;
  DType dtype;
  std::string raw;                         // two values, little-endian
  std::function<void(Proto&)> fill_typed;  // the same two values
};

template <class T>
std::string bytes_of(std::vector<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::function<void(Proto&)> int32s(int a, int b) {
  return [a, b](Proto& p) { p.add_int32_data(a), p.add_int32_data(b); };
}

std::vector<TypeCase> cases() {
  using namespace std::string_literals;
  constexpr std::uint64_t big = 0x8000000000000001u;
  return {
      {"float", Proto::FLOAT, DType::f32, "\0\0\xc0\x3f\0\0\0\xc0"s,
       [](Proto& p) { p.add_float_data(1.5f), p.add_float_data(-2.0f); }},
      {"double", Proto::DOUBLE, DType::f64, "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0"s,
       [](Proto& p) { p.add_double_data(1.5), p.add_double_data(-2.0); }},
      {"float16", Proto::FLOAT16, DType::f16, "\x00\x3e\x00\xc0"s, int32s(0x3e00, 0xc000)},
      {"bfloat16", Proto::BFLOAT16, DType::bf16, "\xc0\x3f\x00\xc0"s, int32s(0x3fc0, 0xc000)},
      {"int8", Proto::INT8, DType::i8, "\x80\x7f"s, int32s(-128, 127)},
      {"uint8", Proto::UINT8, DType::u8, "\x00\xff"s, int32s(0, 255)},
      {"int16", Proto::INT16, DType::i16, "\x00\x80\xff\x7f"s, int32s(-32768, 32767)},
      {"uint16", Proto::UINT16, DType::u16, "\x01\x00\xff\xff"s, int32s(1, 65535)},
      {"int32", Proto::INT32, DType::i32, "\0\0\0\x80\x01\0\0\0"s, int32s(INT32_MIN, 1)},
      {"uint32", Proto::UINT32, DType::u32, "\xff\xff\xff\xff\x01\0\0\0"s,
       [](Proto& p) { p.add_uint64_data(0xffffffffu), p.add_uint64_data(1); }},
      {"int64", Proto::INT64, DType::i64, "\xff\xff\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\0\0\0"s,
       [](Proto& p) { p.add_int64_data(-1), p.add_int64_data(2); }},
      {"uint64", Proto::UINT64, DType::u64, bytes_of<std::uint64_t>({big, 3}),
       [](Proto& p) { p.add_uint64_data(big), p.add_uint64_data(3); }},
      {"bool", Proto::BOOL, DType::boolean, "\x01\x00"s, int32s(1, 0)},
  };
}

void expect_tensor(const Result<Tensor>& tensor, const TypeCase& c) {
  ASSERT_TRUE(tensor) << tensor.status().to_line();
  EXPECT_EQ(tensor->dtype(), c.dtype);
  EXPECT_EQ(tensor->shape(), (Shape{1, 2}));
  ASSERT_EQ(tensor->bytes(), c.raw.size());
  EXPECT_EQ(std::memcmp(tensor->raw(), c.raw.data(), c.raw.size()), 0);
}

Proto tensor_of(const TypeCase& c) {
  Proto proto;
  proto.set_name("t");
  proto.set_data_type(c.code);
  proto.add_dims(1);
  proto.add_dims(2);
  return proto;
}

Result<Tensor> import(const Proto& proto) {
  const std::string bytes = proto.SerializeAsString();
  return import_tensor_proto(bytes.data(), bytes.size());
}

TEST(OnnxTensor, EveryTypeRaw) {
  for (const TypeCase& c : cases()) {
    SCOPED_TRACE(c.name);
    Proto proto = tensor_of(c);
    proto.set_raw_data(c.raw);
    expect_tensor(import(proto), c);
  }
}

TEST(OnnxTensor, EveryTypeTyped) {
  for (const TypeCase& c : cases()) {
    SCOPED_TRACE(c.name);
    Proto proto = tensor_of(c);
    c.fill_typed(proto);
    expect_tensor(import(proto), c);
  }
}

TEST(OnnxTensor, OneValueTooManyOrTooFewIsRefused) {
  for (const TypeCase& c : cases()) {
    SCOPED_TRACE(c.name);
    Proto raw = tensor_of(c);
    raw.set_raw_data(c.raw + '\0');
    EXPECT_EQ(import(raw).status().code(), ErrorCode::malformed);
    raw.set_raw_data(c.raw.substr(1));
    EXPECT_EQ(import(raw).status().code(), ErrorCode::malformed);
    Proto typed = tensor_of(c);
    EXPECT_EQ(import(typed).status().code(), ErrorCode::malformed);
    c.fill_typed(typed);
    c.fill_typed(typed);
    EXPECT_EQ(import(typed).status().code(), ErrorCode::malformed);
  }
}

TEST(OnnxTensor, TypedValuesOutOfRangeAreRefused) {
  const struct {
    Proto::DataType code;
    int value;
  } bad[] = {{Proto::INT8, 128},      {Proto::INT8, -129},   {Proto::UINT8, 256},
             {Proto::UINT8, -1},      {Proto::INT16, 32768}, {Proto::UINT16, 65536},
             {Proto::FLOAT16, 65536}, {Proto::BFLOAT16, -1}, {Proto::BOOL, 256}};
  for (const auto& [code, value] : bad) {
    Proto proto;
    proto.set_data_type(code);
    proto.add_int32_data(value);
    EXPECT_EQ(import(proto).status().code(), ErrorCode::malformed) << code << " " << value;
  }
  Proto u32;
  u32.set_data_type(Proto::UINT32);
  u32.add_uint64_data(std::uint64_t{1} << 32);
  EXPECT_EQ(import(u32).status().code(), ErrorCode::malformed);
}

TEST(OnnxTensor, BoolsBecomeZeroAndOne) {
  Proto proto;
  proto.set_data_type(Proto::BOOL);
  proto.add_dims(3);
  proto.set_raw_data(std::string("\x00\x02\xff", 3));
  const Result<Tensor> tensor = import(proto);
  ASSERT_TRUE(tensor);
  EXPECT_EQ(std::vector<std::uint8_t>(tensor->span<std::uint8_t>().begin(),
                                      tensor->span<std::uint8_t>().end()),
            (std::vector<std::uint8_t>{0, 1, 1}));
}

TEST(OnnxTensor, ScalarsAndEmptyTensors) {
  Proto scalar;
  scalar.set_data_type(Proto::FLOAT);
  scalar.add_float_data(7);
  const Result<Tensor> one = import(scalar);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->rank(), 0u);
  EXPECT_EQ(*one->data<float>(), 7.0f);

  Proto empty;
  empty.set_data_type(Proto::INT64);
  empty.add_dims(0);
  empty.add_dims(5);
  const Result<Tensor> none = import(empty);
  ASSERT_TRUE(none) << none.status().to_line();
  EXPECT_EQ(none->size(), 0);
  empty.set_raw_data("");
  EXPECT_TRUE(import(empty));
}

TEST(OnnxTensor, OtherTypesAreRefusedByName) {
  const std::pair<int, const char*> types[] = {{Proto::STRING, "string"},
                                               {Proto::COMPLEX64, "complex64"},
                                               {Proto::COMPLEX128, "complex128"},
                                               {4711, "type 4711"}};
  for (const auto& [code, name] : types) {
    ModelBuilder builder = testing::relu_model();
    builder.initializer("weights", {1}, code);
    builder.expect_error(ErrorCode::unsupported, name);
    builder.expect_error(ErrorCode::unsupported, "'weights'");
  }
}

TEST(OnnxTensor, GarbageIsNoTensor) {
  const std::string garbage = "\xff\xff\xff\xff\xff\xff";
  EXPECT_EQ(import_tensor_proto(garbage.data(), garbage.size()).status().code(),
            ErrorCode::malformed);
}

}  // namespace
}  // namespace pbatch
