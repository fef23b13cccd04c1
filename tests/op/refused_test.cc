// Operators that are left out on purpose: each is named in docs/operators.md, refused before
// anything runs, and the error says what to do instead.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "graph/passes.h"
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

// ONNX 28 has SpaceToDepth in two orders and Attention in windows: passed over, such an attribute
// would give another answer in silence.
TEST(Refused, AttributesOfLaterOpsets) {
  Node node;
  node.op_type = "SpaceToDepth";
  node.opset = 28;
  node.attributes["blocksize"] = std::int64_t{2};
  EXPECT_TRUE(find_op(node));
  node.attributes["mode"] = std::string("CRD");
  const Status status = find_op(node).status();
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_NE(status.message().find("'mode'"), std::string::npos) << status.to_line();

  Graph graph;
  graph.opsets[""] = 25;
  Node attention;
  attention.name = "a";
  attention.op_type = "Attention";
  attention.opset = 25;
  attention.attributes["left_window_size"] = std::int64_t{4};
  for (const char* name : {"q", "k", "v", "y"}) {
    Value value;
    value.name = name;
    (*name == 'y' ? attention.outputs : attention.inputs)
        .push_back(graph.add_value(std::move(value)));
  }
  graph.inputs = attention.inputs;
  graph.outputs = attention.outputs;
  graph.nodes.push_back(attention);
  const Status window = expand(graph);
  EXPECT_EQ(window.code(), ErrorCode::unsupported);
  EXPECT_EQ(window.node(), "a");
  EXPECT_NE(window.message().find("'left_window_size'"), std::string::npos) << window.to_line();
}

}  // namespace
}  // namespace pbatch
