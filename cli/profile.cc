#include "cli/profile.h"

#include <fmt/format.h>

#include "tools/render/table.h"
#include "tools/render/text.h"

namespace pbatch::cli {
namespace {

double total_us(const std::vector<StepTime>& steps) {
  double sum = 0;
  for (const StepTime& s : steps) sum += s.us;
  return sum;
}

std::string time_or_nothing(double us) { return us > 0 ? short_number(us) : ""; }

// Weights a second, which for a layer that is read from memory is what limits it.
double gigabytes_a_second(const StepTime& s) {
  return s.us > 0 ? static_cast<double>(s.weight_bytes) / s.us / 1e3 : 0;
}

double gigamacs_a_second(const StepTime& s) { return s.us > 0 ? s.macs / s.us / 1e3 : 0; }

}  // namespace

std::string profile_table(const std::vector<StepTime>& steps, const RunCeilings& ceilings) {
  Table table({"node", "operator", "kernel", "us", "share", "predicted us", "quantize us",
               "product us", "epilogue us", "weights", "GB/s", "GMAC/s", "of ceiling"});
  const double total = total_us(steps);
  for (const StepTime& s : steps) {
    const bool reads = s.weight_bytes > 0;
    table.add({s.node, s.op_type, s.kernel, short_number(s.us),
               fmt::format("{:.1f} %", total > 0 ? 100 * s.us / total : 0),
               time_or_nothing(s.predicted_us), time_or_nothing(s.quantize_us),
               time_or_nothing(s.product_us), time_or_nothing(s.epilogue_us),
               reads ? human_bytes(static_cast<double>(s.weight_bytes)) : "",
               reads ? short_number(gigabytes_a_second(s)) : "",
               s.macs > 0 ? short_number(gigamacs_a_second(s)) : "",
               reads ? fmt::format("{:.0f} %", 100 * ceilings.share_of(s)) : ""});
  }
  std::string limits;
  if (ceilings.read_gbps > 0) {
    limits = fmt::format("; the machine reads such weights at {} GB/s",
                         short_number(ceilings.read_gbps));
  }
  if (ceilings.multiply_gmacs > 0) {
    limits += fmt::format(", multiplies bytes at {} GMAC/s", short_number(ceilings.multiply_gmacs));
  }
  return table.to_string() +
         fmt::format("all {} steps: {}{}\n", steps.size(), human_time(total), limits);
}

nlohmann::json ceilings_json(const RunCeilings& ceilings) {
  return {{"read_gbps", ceilings.read_gbps}, {"multiply_gmacs", ceilings.multiply_gmacs}};
}

nlohmann::json profile_json(const std::vector<StepTime>& steps, const RunCeilings& ceilings) {
  nlohmann::json list = nlohmann::json::array();
  for (const StepTime& s : steps) {
    list.push_back({{"node", s.node},
                    {"op_type", s.op_type},
                    {"kernel", s.kernel},
                    {"us", s.us},
                    {"predicted_us", s.predicted_us},
                    {"quantize_us", s.quantize_us},
                    {"product_us", s.product_us},
                    {"epilogue_us", s.epilogue_us},
                    {"weight_bytes", s.weight_bytes},
                    {"gb_per_s", gigabytes_a_second(s)},
                    {"macs", s.macs},
                    {"gmac_per_s", gigamacs_a_second(s)},
                    {"share_of_ceiling", ceilings.share_of(s)}});
  }
  return list;
}

std::string profile_trace(const std::vector<StepTime>& steps) {
  nlohmann::json events = nlohmann::json::array();
  double start = 0;
  for (const StepTime& s : steps) {
    events.push_back({{"name", s.node},
                      {"cat", s.op_type},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", 1},
                      {"ts", start},
                      {"dur", s.us},
                      {"args",
                       {{"kernel", s.kernel},
                        {"predicted_us", s.predicted_us},
                        {"weight_bytes", s.weight_bytes}}}});
    start += s.us;
  }
  return json_text({{"traceEvents", events}, {"displayTimeUnit", "ns"}}, 1);
}

}  // namespace pbatch::cli
