// Devices by name.
#include "pbatch/device.h"

#include <gtest/gtest.h>

#include <set>

#include "pbatch/pbatch.h"

namespace pbatch {
namespace {

TEST(DeviceNames, AreReadAndWritten) {
  EXPECT_EQ(*Device::parse("cpu"), Device::cpu());
  EXPECT_EQ(*Device::parse("cuda"), Device::cuda(0));
  EXPECT_EQ(*Device::parse("cuda:12"), Device::cuda(12));
  EXPECT_EQ(*Device::parse("auto"), Device::automatic(0));
  EXPECT_EQ(*Device::parse("auto:1023"), Device::automatic(1023));
  EXPECT_EQ(Device::cpu().to_string(), "cpu");
  EXPECT_EQ(Device::cuda(3).to_string(), "cuda:3");
  EXPECT_EQ(Device::automatic().to_string(), "auto:0");
}

TEST(DeviceNames, ThatAreNoneAreErrorsThatListThem) {
  for (const char* text : {"", "gpu", "cpu:0", "cuda:", "cuda:-1", "cuda:1x", "cuda:1024",
                           "cuda:00001", "auto:x", "CUDA", "cuda 1"}) {
    const Status status = Device::parse(text).status();
    EXPECT_EQ(status.code(), ErrorCode::invalid_argument) << text;
    for (const std::string& name : device_names()) {
      EXPECT_NE(status.remedy().find(name), std::string::npos) << name;
    }
  }
}

// Also that no two lines of devices.inc have a number or a name in common.
TEST(DeviceNames, AreEachOnes) {
  const std::vector<std::string> names = device_names();
  ASSERT_GE(names.size(), 3U);
  EXPECT_EQ(names.front(), "cpu");
  EXPECT_EQ(names.back(), "auto");
  std::set<Device::Kind> kinds;
  for (const std::string& name : names) {
    const Result<Device> device = Device::parse(name);
    ASSERT_TRUE(device) << name;
    EXPECT_EQ(device->to_string(), name == "cpu" ? name : name + ":0");
    EXPECT_TRUE(kinds.insert(device->kind).second) << name;
    EXPECT_STREQ(pbatch_device_name(static_cast<pbatch_device_kind>(device->kind)), name.c_str());
  }
}

TEST(DeviceNames, FromC) {
  pbatch_device_kind kind = PBATCH_DEVICE_CPU;
  int index = -1;
  pbatch_error error;
  EXPECT_EQ(pbatch_parse_device("cuda:5", &kind, &index, &error), PBATCH_OK);
  EXPECT_EQ(kind, PBATCH_DEVICE_CUDA);
  EXPECT_EQ(index, 5);
  EXPECT_EQ(pbatch_parse_device("tpu", &kind, &index, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error.message).find("cuda"), std::string::npos);
  EXPECT_EQ(pbatch_parse_device(nullptr, &kind, &index, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_parse_device("cpu", nullptr, &index, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_parse_device("cpu", &kind, nullptr, &error), PBATCH_INVALID_ARGUMENT);
  EXPECT_EQ(pbatch_device_name(static_cast<pbatch_device_kind>(-1)), nullptr);
  EXPECT_EQ(pbatch_device_name(static_cast<pbatch_device_kind>(1000)), nullptr);
}

}  // namespace
}  // namespace pbatch
