// docs/operators.md lists the operators that run: all of them and no others.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

namespace pbatch {
namespace {

TEST(OperatorsPage, ListsTheTable) {
  constexpr int kFirstOpsetRead = 7;  // of ONNX's own operators
  std::set<std::string> registered;
  const auto add = [&](const std::string& domain, const std::string& op_type, int first_opset) {
    const int from = domain.empty() ? std::max(first_opset, kFirstOpsetRead) : first_opset;
    registered.insert("| " + op_type + " | " + std::to_string(from) + " |");
  };
#define PBATCH_OP(domain, op_type, first_opset, factory) add(domain, op_type, first_opset);
#include "op/ops.inc"
#undef PBATCH_OP
#define PBATCH_EXPANSION(domain, op_type, first_opset, function) add(domain, op_type, first_opset);
#include "graph/expand/expansions.inc"
#undef PBATCH_EXPANSION

  std::set<std::string> listed;
  std::ifstream page("docs/operators.md");
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ") || line.starts_with("| operator")) continue;
    const std::size_t second = line.find('|', 1);
    listed.insert(line.substr(0, line.find('|', second + 1) + 1));
  }
  EXPECT_EQ(listed, registered);
}

TEST(OperatorsPage, ListsWhatAGpuRuns) {
  std::set<std::string> registered;
#define PBATCH_DEVICE_OP(domain, op_type, build, check) registered.insert(op_type);
#include "device/device_ops.inc"
#undef PBATCH_DEVICE_OP

  std::ifstream page("docs/operators.md");
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  const std::string begin = "**On a GPU** run, in float32: ";
  const std::size_t from = text.find(begin) + begin.size();
  std::string list = text.substr(from, text.find(';', from) - from);
  std::replace_if(
      list.begin(), list.end(), [](char c) { return c == ',' || c == '\n'; }, ' ');
  std::istringstream names(list);
  std::set<std::string> listed;
  for (std::string name; names >> name;) listed.insert(name);
  EXPECT_EQ(listed, registered);
}

}  // namespace
}  // namespace pbatch
