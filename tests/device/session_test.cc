// Sessions that ask for a GPU: what they say where there is none, or one that cannot run the
// network.
#include "pbatch/session.h"

#include <gtest/gtest.h>

#include "pbatch/quantize.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

TEST(SessionDevice, IsTheCpuUnlessAsked) {
  const std::string path = testing::temp_path("net.onnx");
  testing::write_onnx(testing::mlp({8, 5}), path);
  const Result<Session> session = Session::load(path);
  ASSERT_TRUE(session);
  EXPECT_EQ(session->device().device, Device::cpu());
  EXPECT_EQ(session->device().name, "");
  EXPECT_EQ(session->device().reason, "");
}

TEST(SessionDevice, ThatIsNotThereIsAnError) {
  const std::string path = testing::temp_path("net.onnx");
  testing::write_onnx(testing::mlp({8, 5}), path);
  const Result<Session> session = Session::load(path, {.device = Device::cuda(1000)});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.status().code(), ErrorCode::unsupported);
  EXPECT_FALSE(session.status().remedy().empty());
}

TEST(SessionDevice, IsRefusedForTheNetworkBeforeItIsLookedFor) {
  const std::string path = testing::temp_path("net.onnx");
  Graph graph = testing::mlp({8, 5});
  Node node;
  node.name = "last";
  node.op_type = "LRN";
  node.opset = 13;
  node.attributes["size"] = std::int64_t{3};
  node.inputs = {graph.outputs[0]};
  node.outputs = {graph.add_value({.name = "normal"})};
  graph.outputs = node.outputs;
  graph.nodes.push_back(node);
  testing::write_onnx(graph, path);
  const Result<Session> session = Session::load(path, {.device = Device::cuda(1000)});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.status().node(), "last");
  EXPECT_EQ(session.status().message(), "operator LRN runs on the CPU only");
}

TEST(SessionDevice, OutliersAreRefusedWithTheRemedy) {
  const std::string path = testing::temp_path("net.onnx");
  Graph graph = testing::mlp({80, 70, 5});
  for (Value& value : graph.values) {
    if (value.name == "w0") value.constant->mutable_data<float>()[0] = 100.0F;
  }
  testing::write_onnx(graph, path);
  QuantizeOptions options;
  options.min_elements = 1;
  options.outliers = 0.001;
  const Result<Session> refused =
      Session::quantize_in_memory(path, options, {.device = Device::cuda(1000)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.status().node(), "fc0");
  EXPECT_NE(refused.status().message().find("outliers"), std::string::npos);
  EXPECT_NE(refused.status().remedy().find("--outliers 0"), std::string::npos);
  options.outliers = 0;
  const Status other =
      Session::quantize_in_memory(path, options, {.device = Device::cuda(1000)}).status();
  EXPECT_EQ(other.message().find("outliers"), std::string::npos) << other.to_line();
}

TEST(SessionDevice, ChosenByItselfGivesAReasonForTheCpuAndRuns) {
  const std::string path = testing::temp_path("net.onnx");
  testing::write_onnx(testing::mlp({80, 70, 5}), path);
  QuantizeOptions options;
  options.min_elements = 1;
  const Result<Session> session =
      Session::quantize_in_memory(path, options, {.device = Device::automatic()});
  ASSERT_TRUE(session) << session.status().to_line();
  const DeviceInfo& info = session->device();
  EXPECT_NE(info.device.kind, Device::Kind::automatic);
  EXPECT_EQ(info.device.kind == Device::Kind::cpu, !info.reason.empty());
  EXPECT_EQ(info.reason.find('\n'), std::string::npos);
  const Tensor x = testing::tensor_of({1, 80}, testing::random_floats(80, 1));
  const Result<Session> on_cpu = Session::quantize_in_memory(path, options);
  ASSERT_TRUE(on_cpu);
  const auto got = session->run({{{"x", x}}}, Precision::bits(3));
  const auto want = on_cpu->run({{{"x", x}}}, Precision::bits(3));
  ASSERT_TRUE(got) << got.status().to_line();
  ASSERT_TRUE(want);
  for (std::int64_t i = 0; i < want->front().size(); ++i) {
    EXPECT_EQ(got->front().data<float>()[i], want->front().data<float>()[i]);
  }
}

}  // namespace
}  // namespace pbatch
