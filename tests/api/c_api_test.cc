#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "pbatch/pbatch.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::mlp;
using testing::random_floats;
using testing::temp_path;
using testing::write_onnx;

struct FreeSession {
  void operator()(pbatch_session* s) const { pbatch_session_free(s); }
};
struct FreeOutputs {
  void operator()(pbatch_outputs* o) const { pbatch_outputs_free(o); }
};
struct FreePool {
  void operator()(pbatch_thread_pool* p) const { pbatch_thread_pool_free(p); }
};
using PoolPtr = std::unique_ptr<pbatch_thread_pool, FreePool>;
using SessionPtr = std::unique_ptr<pbatch_session, FreeSession>;
using OutputsPtr = std::unique_ptr<pbatch_outputs, FreeOutputs>;

SessionPtr load(const std::string& path, const pbatch_thread_pool* pool = nullptr) {
  const pbatch_session_options options = {pool == nullptr ? 2 : 0, PBATCH_BACKEND_ONEDNN, pool};
  pbatch_session* session = nullptr;
  pbatch_error error;
  EXPECT_EQ(pbatch_session_load(path.c_str(), &options, &session, &error), PBATCH_OK)
      << error.message;
  return SessionPtr(session);
}

constexpr std::int64_t kShape[2] = {3, 64};

pbatch_tensor tensor_over(const std::vector<float>& values) {
  return {"x", PBATCH_F32, 2, kShape, values.data(), values.size() * sizeof(float)};
}

std::vector<float> floats_of(const pbatch_outputs* outputs) {
  pbatch_tensor result;
  pbatch_error error;
  EXPECT_EQ(pbatch_outputs_get(outputs, 0, &result, &error), PBATCH_OK) << error.message;
  const auto* first = static_cast<const float*>(result.data);
  return {first, first + result.bytes / sizeof(float)};
}

OutputsPtr run(const pbatch_session* session, const pbatch_tensor& input,
               const pbatch_precision& precision) {
  pbatch_outputs* outputs = nullptr;
  pbatch_error error;
  EXPECT_EQ(pbatch_run(session, &input, 1, &precision, &outputs, &error), PBATCH_OK)
      << error.message;
  return OutputsPtr(outputs);
}

pbatch_precision at(int weight_bits, int activation_bits = 16) {
  return {{weight_bits, activation_bits}, nullptr, 0};
}

// mlp({64, 96, 80}) on a batch of 3, in double and straight from its definition.
std::vector<float> expected_outputs(const std::vector<float>& x) {
  const std::vector<int> sizes = {64, 96, 80};
  std::vector<float> all;
  for (int n = 0; n < 3; ++n) {
    std::vector<double> v(x.begin() + n * 64, x.begin() + (n + 1) * 64);
    for (unsigned layer = 0; layer < 2; ++layer) {
      const int in = sizes[layer], out = sizes[layer + 1];
      const auto w = random_floats(static_cast<std::size_t>(in * out), layer + 1);
      const auto b = random_floats(static_cast<std::size_t>(out), 100 + layer);
      std::vector<double> y(static_cast<std::size_t>(out));
      for (int r = 0; r < out; ++r) {
        double sum = b[r];
        for (int c = 0; c < in; ++c) sum += w[r * in + c] / std::sqrt(double(in)) * v[c];
        y[r] = layer == 0 ? std::max(sum, 0.0) : sum;
      }
      v = y;
    }
    all.insert(all.end(), v.begin(), v.end());
  }
  return all;
}

double relative_error(const std::vector<float>& a, const std::vector<float>& expected) {
  EXPECT_EQ(a.size(), expected.size());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < std::min(a.size(), expected.size()); ++i) {
    error += (double(a[i]) - expected[i]) * (double(a[i]) - expected[i]);
    size += double(expected[i]) * expected[i];
  }
  return std::sqrt(error / size);
}

class CApi : public ::testing::Test {
 protected:
  void SetUp() override {
    float_path_ = temp_path("float.onnx");
    bits_path_ = temp_path("bits.onnx");
    write_onnx(mlp({64, 96, 80}), float_path_);
    x_ = random_floats(3 * 64, 7);
    expected_ = expected_outputs(x_);
  }
  void TearDown() override {
    std::remove(float_path_.c_str());
    std::remove(bits_path_.c_str());
    std::remove((bits_path_.substr(0, bits_path_.size() - 5) + ".safetensors").c_str());
  }
  SessionPtr quantized() {
    pbatch_error error;
    EXPECT_EQ(pbatch_quantize(float_path_.c_str(), bits_path_.c_str(), nullptr, nullptr, &error),
              PBATCH_OK)
        << error.message;
    return load(bits_path_);
  }

  std::string float_path_, bits_path_;
  std::vector<float> x_, expected_;
};

TEST(CApiNames, CodesHaveTheNamesOfTheirConstants) {
  EXPECT_STREQ(pbatch_code_name(PBATCH_OK), "ok");
  EXPECT_STREQ(pbatch_code_name(PBATCH_SHAPE_MISMATCH), "shape_mismatch");
  EXPECT_STREQ(pbatch_code_name(PBATCH_OUT_OF_MEMORY), "out_of_memory");
  EXPECT_STREQ(pbatch_code_name(PBATCH_INTERNAL), "internal");
  EXPECT_EQ(pbatch_dtype_size(PBATCH_F32), 4u);
  EXPECT_EQ(pbatch_dtype_size(PBATCH_I64), 8u);
  EXPECT_EQ(pbatch_dtype_size(PBATCH_BOOL), 1u);
  EXPECT_EQ(pbatch_dtype_size(static_cast<pbatch_dtype>(99)), 0u);
}

TEST(CApiErrors, AMissingFileIsNamedAndTheMessageIsCutToTheBuffer) {
  const std::string path = "no_such_folder/" + std::string(5000, 'a') + ".onnx";
  int place = 0;
  auto* session = reinterpret_cast<pbatch_session*>(&place);
  pbatch_error error;
  std::memset(&error, 'x', sizeof error);
  EXPECT_NE(pbatch_session_load(path.c_str(), nullptr, &session, &error), PBATCH_OK);
  EXPECT_EQ(session, nullptr);
  EXPECT_NE(error.code, PBATCH_OK);
  EXPECT_EQ(std::string(error.message).substr(0, 15), "no_such_folder/");
  EXPECT_EQ(strnlen(error.message, sizeof error.message), sizeof error.message - 1);

  EXPECT_EQ(pbatch_session_load("no_such.onnx", nullptr, &session, &error), PBATCH_NOT_FOUND);
  EXPECT_EQ(pbatch_session_load("no_such.onnx", nullptr, &session, nullptr), PBATCH_NOT_FOUND);
}

TEST(CApiErrors, NullPointersAreRefused) {
  pbatch_error error;
  pbatch_session* session = nullptr;
  EXPECT_EQ(pbatch_session_load(nullptr, nullptr, &session, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_session_load("x.onnx", nullptr, nullptr, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_quantize(nullptr, "y.onnx", nullptr, nullptr, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_run(nullptr, nullptr, 0, nullptr, nullptr, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_NE(std::strlen(error.message), 0u);
  EXPECT_EQ(pbatch_input_count(nullptr), 0u);
  EXPECT_EQ(pbatch_required_input_count(nullptr), 0u);
  EXPECT_EQ(pbatch_outputs_count(nullptr), 0u);
  pbatch_session_free(nullptr);
  pbatch_outputs_free(nullptr);
}

TEST_F(CApi, DescribesThePorts) {
  const SessionPtr session = load(float_path_);
  ASSERT_NE(session, nullptr);
  ASSERT_EQ(pbatch_input_count(session.get()), 1u);
  EXPECT_EQ(pbatch_required_input_count(session.get()), 1u);
  ASSERT_EQ(pbatch_output_count(session.get()), 1u);
  pbatch_port port;
  ASSERT_EQ(pbatch_input(session.get(), 0, &port, nullptr), PBATCH_OK);
  EXPECT_STREQ(port.name, "x");
  EXPECT_EQ(port.dtype, PBATCH_F32);
  ASSERT_EQ(port.rank, 2u);
  EXPECT_EQ(port.shape[0], -1);
  EXPECT_EQ(port.shape[1], 64);
  ASSERT_EQ(pbatch_output(session.get(), 0, &port, nullptr), PBATCH_OK);
  EXPECT_STREQ(port.name, "y");
  EXPECT_EQ(pbatch_output(session.get(), 1, &port, nullptr), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_layer_count(session.get()), 0u);
  EXPECT_EQ(pbatch_max_weight_bits(session.get()), 0);
}

TEST_F(CApi, RunsAFloatNetwork) {
  const SessionPtr session = load(float_path_);
  ASSERT_NE(session, nullptr);
  const OutputsPtr outputs = run(session.get(), tensor_over(x_), at(32));
  EXPECT_LT(relative_error(floats_of(outputs.get()), expected_), 1e-5);
}

TEST_F(CApi, ReadsInputsOfAnyAlignment) {
  const SessionPtr session = load(float_path_);
  ASSERT_NE(session, nullptr);
  std::vector<char> bytes(x_.size() * sizeof(float) + 1);
  std::memcpy(bytes.data() + 1, x_.data(), x_.size() * sizeof(float));
  pbatch_tensor input = tensor_over(x_);
  input.data = bytes.data() + 1;
  const OutputsPtr outputs = run(session.get(), input, at(32));
  EXPECT_LT(relative_error(floats_of(outputs.get()), expected_), 1e-5);
}

TEST_F(CApi, RefusesInputsThatDoNotFit) {
  const SessionPtr session = load(float_path_);
  ASSERT_NE(session, nullptr);
  const auto code_of = [&](const pbatch_tensor& input) {
    const pbatch_precision precision = at(32);
    pbatch_outputs* outputs = nullptr;
    pbatch_error error;
    const pbatch_code code = pbatch_run(session.get(), &input, 1, &precision, &outputs, &error);
    EXPECT_EQ(outputs, nullptr);
    EXPECT_NE(std::strlen(error.message), 0u);
    return code;
  };
  pbatch_tensor input = tensor_over(x_);
  input.bytes -= 1;
  EXPECT_EQ(code_of(input), PBATCH_INVALID_ARGUMENT);
  input = tensor_over(x_);
  input.data = nullptr;
  EXPECT_EQ(code_of(input), PBATCH_INVALID_ARGUMENT);
  input = tensor_over(x_);
  input.shape = nullptr;
  EXPECT_EQ(code_of(input), PBATCH_INVALID_ARGUMENT);
  input = tensor_over(x_);
  input.name = nullptr;
  EXPECT_EQ(code_of(input), PBATCH_INVALID_ARGUMENT);
  input = tensor_over(x_);
  input.dtype = static_cast<pbatch_dtype>(13);
  EXPECT_EQ(code_of(input), PBATCH_INVALID_ARGUMENT);
  input = tensor_over(x_);
  const std::int64_t negative[2] = {-3, -64};
  input.shape = negative;
  EXPECT_NE(code_of(input), PBATCH_OK);
  input = tensor_over(x_);
  const std::int64_t turned[2] = {64, 3};
  input.shape = turned;
  EXPECT_EQ(code_of(input), PBATCH_SHAPE_MISMATCH);
}

TEST_F(CApi, QuantizesAndRunsAtEveryPrecision) {
  const SessionPtr session = quantized();
  ASSERT_NE(session, nullptr);
  ASSERT_EQ(pbatch_layer_count(session.get()), 2u);
  pbatch_layer layer;
  ASSERT_EQ(pbatch_layer_at(session.get(), 0, &layer, nullptr), PBATCH_OK);
  EXPECT_STREQ(layer.name, "fc0");
  EXPECT_EQ(layer.rows, 96);
  EXPECT_EQ(layer.cols, 64);
  EXPECT_EQ(layer.planes_available, 8);
  EXPECT_EQ(pbatch_max_weight_bits(session.get()), 8);

  const auto error_at = [&](const pbatch_precision& precision) {
    return relative_error(floats_of(run(session.get(), tensor_over(x_), precision).get()),
                          expected_);
  };
  const double error8 = error_at(at(8)), error2 = error_at(at(2));
  EXPECT_LT(error8, 0.01);
  EXPECT_LT(error2, 0.5);
  EXPECT_GT(error2, 10 * error8);

  // One layer at 1 bit lies between both layers at 8 and both at 1.
  const pbatch_layer_bits coarse = {"fc0", {1, 16}};
  const double mixed = error_at({{8, 16}, &coarse, 1});
  EXPECT_GT(mixed, error8);
  EXPECT_LT(mixed, error_at(at(1)));
}

TEST_F(CApi, RefusesAPrecisionThatIsNotThere) {
  const SessionPtr session = quantized();
  ASSERT_NE(session, nullptr);
  const auto code_of = [&](const pbatch_precision& precision) {
    const pbatch_tensor input = tensor_over(x_);
    pbatch_outputs* outputs = nullptr;
    return pbatch_run(session.get(), &input, 1, &precision, &outputs, nullptr);
  };
  EXPECT_EQ(code_of(at(9)), PBATCH_PRECISION_UNAVAILABLE);
  EXPECT_EQ(code_of(at(17)), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(code_of(at(4, 12)), PBATCH_INVALID_ARGUMENT);
  const pbatch_layer_bits unknown = {"fc7", {1, 16}};
  EXPECT_EQ(code_of({{8, 16}, &unknown, 1}), PBATCH_NOT_FOUND);
  const pbatch_layer_bits nameless = {nullptr, {1, 16}};
  EXPECT_EQ(code_of({{8, 16}, &nameless, 1}), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(code_of({{8, 16}, nullptr, 1}), PBATCH_INVALID_ARGUMENT);
}

TEST_F(CApi, ExcludedNodesStayFloatAndTheSummarySaysSo) {
  const char* const names[] = {"fc0"};
  pbatch_quantize_options options = pbatch_quantize_defaults();
  EXPECT_EQ(options.planes, 8);
  options.exclude = names;
  options.exclude_count = 1;
  pbatch_quantize_summary summary;
  pbatch_error error;
  ASSERT_EQ(pbatch_quantize(float_path_.c_str(), bits_path_.c_str(), &options, &summary, &error),
            PBATCH_OK)
      << error.message;
  EXPECT_EQ(summary.layers_quantized, 1u);
  EXPECT_EQ(summary.layers_float, 1u);
  EXPECT_GT(summary.data_bytes, 0);
}

TEST_F(CApi, ResultsOutliveTheSession) {
  SessionPtr session = load(float_path_);
  ASSERT_NE(session, nullptr);
  const OutputsPtr outputs = run(session.get(), tensor_over(x_), at(32));
  session.reset();
  EXPECT_LT(relative_error(floats_of(outputs.get()), expected_), 1e-5);
}

TEST_F(CApi, ResultsNeverShareTheCallersMemory) {
  Graph graph;
  graph.name = "identity";
  graph.opsets[""] = 13;
  const std::vector<Dim> dims = {{3, ""}, {64, ""}};
  const ValueId x = graph.add_value({.name = "x", .dims = dims});
  const ValueId y = graph.add_value({.name = "y", .dims = dims});
  Node node;
  node.name = "same";
  node.op_type = "Identity";
  node.opset = 13;
  node.inputs = {x};
  node.outputs = {y};
  graph.nodes.push_back(node);
  graph.inputs = {x};
  graph.outputs = {y};
  write_onnx(graph, float_path_);
  const SessionPtr session = load(float_path_);
  ASSERT_NE(session, nullptr);

  std::vector<float> given = x_;
  const OutputsPtr outputs = run(session.get(), tensor_over(given), at(32));
  std::fill(given.begin(), given.end(), 0.0f);
  EXPECT_EQ(floats_of(outputs.get()), x_);
}

TEST_F(CApi, OneSessionServesManyThreadsAtTheirOwnPrecision) {
  const SessionPtr session = quantized();
  ASSERT_NE(session, nullptr);
  std::vector<std::vector<float>> alone(9), together(9);
  const SessionPtr other = load(bits_path_);
  for (int bits = 1; bits <= 8; ++bits) {
    alone[bits] = floats_of(run(other.get(), tensor_over(x_), at(bits)).get());
  }
  std::vector<std::thread> threads;
  for (int bits = 1; bits <= 8; ++bits) {
    threads.emplace_back([&, bits] {
      for (int i = 0; i < 5; ++i) {
        together[bits] = floats_of(run(session.get(), tensor_over(x_), at(bits)).get());
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (int bits = 1; bits <= 8; ++bits) EXPECT_EQ(together[bits], alone[bits]) << bits << " bits";
}

TEST_F(CApi, SessionsShareAPoolThatOutlivesItsHandle) {
  const SessionPtr own = quantized();
  ASSERT_NE(own, nullptr);
  const pbatch_thread_pool_options options = {3, nullptr, 0};
  pbatch_thread_pool* made = nullptr;
  pbatch_error error;
  ASSERT_EQ(pbatch_thread_pool_create(&options, &made, &error), PBATCH_OK) << error.message;
  PoolPtr pool(made);
  EXPECT_EQ(pbatch_thread_pool_threads(pool.get()), 3);
  const SessionPtr bits = load(bits_path_, pool.get()), flt = load(float_path_, pool.get());
  const pbatch_session_options both = {2, PBATCH_BACKEND_ONEDNN, pool.get()};
  pbatch_session* none = nullptr;
  EXPECT_EQ(pbatch_session_load(bits_path_.c_str(), &both, &none, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error.message).find("shares a pool"), std::string::npos) << error.message;
  pool.reset();

  const auto answer = [&](const SessionPtr& session) {
    return floats_of(run(session.get(), tensor_over(x_), at(4)).get());
  };
  EXPECT_EQ(answer(bits), answer(own));
  EXPECT_LT(relative_error(answer(flt), expected_), 1e-5);
}

TEST_F(CApi, SaysWhatItRunsOnAndWhyNotOnAGpu) {
  const std::string& path = float_path_;
  pbatch_session* session = nullptr;
  pbatch_error error;
  pbatch_session_options options = {};
  options.device = PBATCH_DEVICE_CUDA;
  options.device_index = 1000;
  EXPECT_EQ(pbatch_session_load(path.c_str(), &options, &session, &error), PBATCH_UNSUPPORTED);
  EXPECT_EQ(session, nullptr);
  options.device = static_cast<pbatch_device_kind>(7);
  EXPECT_EQ(pbatch_session_load(path.c_str(), &options, &session, &error), PBATCH_INVALID_ARGUMENT);
  options.device = PBATCH_DEVICE_AUTO;
  options.device_index = 1000;
  ASSERT_EQ(pbatch_session_load(path.c_str(), &options, &session, &error), PBATCH_OK)
      << error.message;
  pbatch_device_info info;
  ASSERT_EQ(pbatch_session_device(session, &info, &error), PBATCH_OK);
  EXPECT_EQ(info.kind, PBATCH_DEVICE_CPU);
  EXPECT_STREQ(info.name, "");
  EXPECT_STRNE(info.reason, "");
  EXPECT_EQ(pbatch_session_device(session, nullptr, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_session_device(nullptr, &info, &error), PBATCH_INVALID_ARGUMENT);
  pbatch_session_free(session);
}

struct FreePlan {
  void operator()(pbatch_plan* p) const { pbatch_plan_free(p); }
};

TEST_F(CApi, PlansARunOfTheseShapes) {
  const SessionPtr session = quantized();
  const pbatch_input_shape shape = {"x", 2, kShape};
  const pbatch_precision precision = at(3, 8);
  pbatch_error error;
  ASSERT_EQ(pbatch_prepare(session.get(), &precision, &shape, 1, &error), PBATCH_OK)
      << error.message;
  pbatch_plan* made = nullptr;
  ASSERT_EQ(pbatch_plan_create(session.get(), &precision, &shape, 1, &made, &error), PBATCH_OK)
      << error.message;
  const std::unique_ptr<pbatch_plan, FreePlan> plan(made);
  ASSERT_EQ(pbatch_plan_count(plan.get()), 2U);
  pbatch_plan_step step;
  ASSERT_EQ(pbatch_plan_at(plan.get(), 0, &step, &error), PBATCH_OK);
  EXPECT_STREQ(step.node, "fc0");
  EXPECT_STREQ(step.op_type, "BitLinear");
  EXPECT_EQ(step.planned, 1);
  ASSERT_EQ(step.rank, 2U);
  EXPECT_EQ(step.shape[0], 3);
  EXPECT_EQ(step.shape[1], 96);
  EXPECT_EQ(step.bits.weight_bits, 3);
  EXPECT_EQ(step.rows * step.cols, 96 * 64);
  EXPECT_EQ(step.macs, 3 * 96 * 64);
  EXPECT_EQ(pbatch_plan_at(plan.get(), 2, &step, &error), PBATCH_INVALID_ARGUMENT);

  const std::int64_t wrong_dims[2] = {3, 65};
  const pbatch_input_shape wrong = {"x", 2, wrong_dims}, nameless = {nullptr, 2, kShape};
  EXPECT_EQ(pbatch_prepare(session.get(), &precision, &wrong, 1, &error), PBATCH_SHAPE_MISMATCH);
  EXPECT_EQ(pbatch_prepare(session.get(), &precision, &nameless, 1, &error),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_prepare(session.get(), &precision, nullptr, 1, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_prepare(session.get(), &precision, nullptr, 0, &error), PBATCH_OK);
  EXPECT_EQ(pbatch_plan_create(session.get(), &precision, &shape, 1, nullptr, &error),
            PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_plan_count(nullptr), 0U);
}

TEST_F(CApi, BoundsTheMemoryOfPreparedWeights) {
  const SessionPtr session = quantized();
  const std::vector<float> x = random_floats(3 * 64, 9);
  run(session.get(), tensor_over(x), at(3));
  EXPECT_GT(pbatch_get_weight_memory().bytes, 0);
  pbatch_limit_weight_memory(1);
  EXPECT_EQ(pbatch_get_weight_memory().limit, 1);
  EXPECT_EQ(pbatch_get_weight_memory().bytes, 0);
  EXPECT_GT(pbatch_get_weight_memory().given_up, 0);
  pbatch_limit_weight_memory(0);
}

TEST(CApiThreads, RefusesPoolsThatCannotBe) {
  pbatch_error error;
  int place = 0;
  auto* pool = reinterpret_cast<pbatch_thread_pool*>(&place);
  const int cpus[] = {1 << 20};
  const pbatch_thread_pool_options absent = {0, cpus, 1}, null = {1, nullptr, 1},
                                   many = {100000, nullptr, 0};
  for (const pbatch_thread_pool_options* options : {&absent, &null, &many}) {
    EXPECT_EQ(pbatch_thread_pool_create(options, &pool, &error), PBATCH_INVALID_ARGUMENT);
    EXPECT_EQ(pool, nullptr);
    EXPECT_NE(std::strlen(error.message), 0U);
  }
  EXPECT_EQ(pbatch_thread_pool_create(nullptr, nullptr, &error), PBATCH_INVALID_ARGUMENT);
  ASSERT_EQ(pbatch_thread_pool_create(nullptr, &pool, &error), PBATCH_OK) << error.message;
  EXPECT_GE(pbatch_thread_pool_threads(pool), 1);
  pbatch_thread_pool_free(pool);
  EXPECT_EQ(pbatch_thread_pool_threads(nullptr), 0);
  pbatch_thread_pool_free(nullptr);
}

}  // namespace
}  // namespace pbatch
