#include "tools/render/text.h"

#include <gtest/gtest.h>

#include "tools/render/table.h"

namespace pbatch {
namespace {

TEST(Text, EscapesHtml) {
  EXPECT_EQ(escape_html("<script>alert(\"x\" & 'y')</script>"),
            "&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)&lt;/script&gt;");
  EXPECT_EQ(escape_html("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82");
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(escape_html(std::string("a\0b\x1b", 4)), "a" + bad + "b" + bad);
  EXPECT_EQ(escape_html("\xff"), bad);
  EXPECT_EQ(escape_html("\xc0\xaf"), bad + bad);            // overlong '/'
  EXPECT_EQ(escape_html("\xed\xa0\x80"), bad + bad + bad);  // a surrogate
  EXPECT_EQ(escape_html("\xe2\x82"), bad + bad);            // cut short
}

TEST(Text, ShortensNumbers) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(1234.5), "1234");
  EXPECT_EQ(short_number(12.345), "12.3");
  EXPECT_EQ(short_number(0.012345), "0.0123");
  EXPECT_EQ(short_number(1.5e-9), "1.50e-09");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1500), "1.50 kB");
  EXPECT_EQ(human_bytes(64e6), "64.0 MB");
  EXPECT_EQ(human_time(0.5), "500 ns");
  EXPECT_EQ(human_time(12345), "12.3 ms");
}

TEST(TableTest, AlignsColumns) {
  Table table({"name", "bytes"});
  table.add({"caf\xc3\xa9", "5"});
  table.add({"x\n", "1234"});
  EXPECT_EQ(table.to_string(), "name   bytes\ncaf\xc3\xa9       5\nx\\x0a   1234\n");
}

}  // namespace
}  // namespace pbatch
