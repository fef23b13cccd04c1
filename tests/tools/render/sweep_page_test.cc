#include "tools/render/sweep_page.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pbatch {
namespace {

SweepPage page() {
  SweepPage p;
  p.file = "nets/<b>evil</b>.onnx";
  p.float_source = "dequantized";
  p.input_note = "10 items & more";
  p.rows = {{32, 32, 0.984, 900, 1, 80'000'000, {}},
            {1, 8, 0.62, 30, 30, 2'600'000, {}},
            {4, 8, 0.982, 70, 12.9, 10'000'000, {}},
            {4, 16, 0.983, 90, 10, 10'000'000, {}},
            {8, 8, 0.984, 110, 8, 20'000'000, "other_int8"}};
  p.layer_widths = {1, 4};
  p.layers = {{"fc\"1\"<script>", {0.5, 0.001}}};
  p.conditions = {"CPU <x>", 2, "avx512", 1, "2026-11-22 10:00 UTC", "pbatch sweep 'a & b'"};
  return p;
}

TEST(SweepPageTest, ShowsEveryRowAndLayer) {
  const std::string html = sweep_page_html(page());
  for (const char* text : {"98.40 %", "62.00 %", "98.20 %", "12.90×", "10.0 MB", "50.0 %",
                           "0.100 %", "900 us", "avx512", "2026-11-22"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
  EXPECT_NE(html.find(">4-bit</text>"), std::string::npos);  // a point's label
  EXPECT_NE(html.find(">other_int8</text>"), std::string::npos);
}

TEST(SweepPageTest, ShowsWidthsByLayerAndWhatToRun) {
  SweepPage p = page();
  p.rows.push_back({4, 16, 0.9839, 60, 15, 9'000'000, {}, "planned <4>"});
  const std::string html = sweep_page_html(p);
  EXPECT_NE(html.find("planned &lt;4&gt;"), std::string::npos);
  EXPECT_NE(html.find("a width for each layer</span>"), std::string::npos);
  EXPECT_NE(html.find("half a point of float (98.40 %): <b>planned &lt;4&gt;"), std::string::npos);

  p.metric = SweepMetric::rel_error;  // lower is better
  p.rows = {{32, 32, 0, 900, 1, 80'000'000, {}},
            {4, 8, 0.08, 70, 12.9, 10'000'000, {}},
            {8, 8, 0.009, 110, 8, 20'000'000, {}}};
  p.layers = {{"a", {0.5, 0.001}}, {"<b>", {0.6, 0.02}}, {"c", {0.5, 0.001}}};
  const std::string errors = sweep_page_html(p);
  EXPECT_NE(errors.find("within 1.00 %: <b>8-bit weights"), std::string::npos);
  EXPECT_NE(errors.find("within 10.0 %: <b>4-bit weights"), std::string::npos);
  EXPECT_NE(errors.find("error of 4 bits comes from &lt;b&gt;.<"), std::string::npos);
}

TEST(SweepPageTest, IsSelfContainedAndEscaped) {
  const std::string html = sweep_page_html(page());
  for (const char* text :
       {"<script", "http:", "https:", "src=", "url(", "@import", "<b>evil", "CPU <x>", "a & b"}) {
    EXPECT_EQ(html.find(text), std::string::npos) << text;
  }
  EXPECT_NE(html.find("&lt;b&gt;evil"), std::string::npos);
  EXPECT_NE(html.find("fc&quot;1&quot;&lt;script&gt;"), std::string::npos);
}

TEST(SweepPageTest, SurvivesWhatIsNotFinite) {
  SweepPage p = page();
  p.metric = SweepMetric::rel_error;
  for (SweepRow& row : p.rows) row.value = NAN;
  p.layers[0].rel_error = {NAN, INFINITY};
  const std::string html = sweep_page_html(p);
  EXPECT_NE(html.find("No finite values"), std::string::npos);
  EXPECT_EQ(html.find("=\"nan"), std::string::npos);
}

}  // namespace
}  // namespace pbatch
