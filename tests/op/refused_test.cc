// Operators that are left out on purpose: each is named in docs/operators.md, refused before
// anything runs, and the error says what to do instead.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "run/find_op.h"

namespace pbatch {
namespace {

// The names in backquotes of the section, a list of "- `Name`, `Name`: reason".
std::vector<std::string> left_out_operators() {
  std::ifstream page("docs/operators.md");  // run in the source folder
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  const std::size_t begin = text.find("## Left out");
  EXPECT_NE(begin, std::string::npos);
  std::istringstream section(text.substr(begin, text.find("\n## ", begin + 1) - begin));
  std::vector<std::string> names;
  for (std::string part; std::getline(section, part, '`');) {
    if (std::getline(section, part, '`')) names.push_back(part);
  }
  return names;
}

Status refusal(const std::string& op_type, const std::string& domain = "") {
  Node node;
  node.op_type = op_type;
  node.domain = domain;
  node.opset = 25;
  return find_op(node).status();
}

TEST(Refused, NothingThatIsListedAsLeftOutRuns) {
  const std::vector<std::string> names = left_out_operators();
  ASSERT_GT(names.size(), 20U);
  const std::string general = refusal("NoOperator").remedy();
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    for (const char* domain : {"", "ai.onnx.ml"}) {
      const Status status = refusal(name, domain);
      EXPECT_EQ(status.code(), ErrorCode::unsupported);
      EXPECT_NE(status.remedy(), general);
    }
  }
}

}  // namespace
}  // namespace pbatch
