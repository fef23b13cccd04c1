// Optionals of which it is known whether they hold something become what they hold.
#include <gtest/gtest.h>

#include "run/simplify.h"
#include "tests/support/graph_maker.h"

namespace pbatch::testing {
namespace {

TEST(Optionals, BecomeWhatTheyHold) {
  GraphMaker m;
  const ValueId x = m.input("x");
  const ValueId some = m.add("Optional", {x}), none = m.add("Optional", {});
  const ValueId pair = m.add("Optional", {m.add("SequenceConstruct", {x, x})});
  Graph& graph = m.graph({
      m.add("OptionalHasElement", {some}), m.add("OptionalHasElement", {none}),
      m.add("OptionalHasElement", {}), m.add("Neg", {m.add("OptionalGetElement", {some})}),
      m.add("ConcatFromSequence", {m.add("OptionalGetElement", {pair})},
            {{"axis", std::int64_t{0}}}),
      m.add("OptionalHasElement", {x}),  // as from opset 18 on
  });
  const Status status = simplify(graph);
  ASSERT_TRUE(status) << status.to_line();
  const Result<Program> program = Program::build(graph);
  ASSERT_TRUE(program) << program.status().to_line();
  Lane lane;
  const Tensor value = tensor_of({2}, {1, 2});
  const auto y = program->run(lane.context, {&value, 1});
  ASSERT_TRUE(y) << y.status().to_line();
  const auto flag = [&](std::size_t i) { return *(*y)[i].data<std::uint8_t>() != 0; };
  EXPECT_TRUE(flag(0));
  EXPECT_FALSE(flag(1));
  EXPECT_FALSE(flag(2));
  EXPECT_TRUE(flag(5));
  EXPECT_EQ((*y)[3].data<float>()[1], -2);
  EXPECT_EQ((*y)[4].shape(), Shape{4});
  EXPECT_EQ((*y)[4].data<float>()[2], 1);
}

TEST(Optionals, ThatHoldNothingGiveNothing) {
  GraphMaker get;
  Status status = simplify(get.graph({get.add("OptionalGetElement", {get.add("Optional", {})})}));
  EXPECT_EQ(status.code(), ErrorCode::malformed);
  EXPECT_FALSE(status.node().empty());
  GraphMaker out;
  status = simplify(out.graph({out.add("Optional", {})}));
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  GraphMaker read;
  status = simplify(read.graph({read.add("Neg", {read.add("Optional", {})})}));
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
}

}  // namespace
}  // namespace pbatch::testing
