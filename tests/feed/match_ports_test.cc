#include "feed/match_ports.h"

#include <gtest/gtest.h>

#include <string>

namespace pbatch {
namespace {

// "h 1 ? 128": a float32 port; "?" is a free dimension.
std::vector<PortInfo> ports(const std::vector<std::pair<std::string, Shape>>& list) {
  std::vector<PortInfo> out;
  for (const auto& [name, shape] : list) out.push_back({name, DType::f32, shape});
  return out;
}

// The matched output's name for each input, "-" for none, in one string.
std::string matched(const std::vector<PortInfo>& in, const std::vector<PortInfo>& out) {
  std::string text;
  for (const auto& m : match_ports(in, out)) {
    text += (text.empty() ? "" : " ") + (m ? out[*m].name : std::string("-"));
  }
  return text;
}

TEST(MatchPortsTest, ByNames) {
  const Shape s{1, -1, 8};
  EXPECT_EQ(matched(ports({{"h_in", s}, {"c_in", s}}), ports({{"c_out", s}, {"h_out", s}})),
            "h_out c_out");
  EXPECT_EQ(matched(ports({{"h0", s}, {"c0", s}}), ports({{"cn", s}, {"hn", s}})), "hn cn");
  EXPECT_EQ(matched(ports({{"initial_h", s}, {"initial_c", s}}), ports({{"Y_h", s}, {"Y_c", s}})),
            "Y_h Y_c");
  EXPECT_EQ(matched(ports({{"h0_in", s}, {"h1_in", s}, {"c0_in", s}, {"c1_in", s}}),
                    ports({{"c0_out", s}, {"c1_out", s}, {"h0_out", s}, {"h1_out", s}})),
            "h0_out h1_out c0_out c1_out");
  EXPECT_EQ(
      matched(ports({{"prev.State", s}, {"mem", s}}), ports({{"next.State", s}, {"new_mem", s}})),
      "next.State new_mem");
  EXPECT_EQ(matched(ports({{"state", s}}), ports({{"logits", s}, {"stateN", s}})), "stateN");
}

TEST(MatchPortsTest, ByShapes) {
  EXPECT_EQ(matched(ports({{"a", {1, 2, 128}}, {"b", {-1, 64}}}),
                    ports({{"p", {1, 2, 128}}, {"q", {1, 257}}, {"r", {1, 64}}})),
            "p r");
  EXPECT_EQ(matched(ports({{"a", {1, 8}}}), ports({{"p", {1, 8}}, {"q", {1, 8}}})), "-");
  EXPECT_EQ(matched(ports({{"a", {1, 8}}, {"b", {1, 8}}}), ports({{"p", {1, 8}}})), "- -");
  EXPECT_EQ(matched(ports({{"a", {1, 8}}}), ports({{"p", {}}})), "p");  // undeclared
}

TEST(MatchPortsTest, NeverAcrossTypesOrShapes) {
  std::vector<PortInfo> in = ports({{"h_in", {1, 8}}});
  EXPECT_EQ(matched(in, ports({{"h_out", {1, 9}}})), "-");
  EXPECT_EQ(matched(in, ports({{"h_out", {1, 1, 8}}})), "-");
  in[0].dtype = DType::i64;
  EXPECT_EQ(matched(in, ports({{"h_out", {1, 8}}})), "-");
}

}  // namespace
}  // namespace pbatch
