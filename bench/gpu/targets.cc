#include <algorithm>
#include <cmath>
#include <string>

#include "bench/gpu/parts.h"

namespace pbatch::bench {
namespace {

// The shortest median of the rows that have all of `some`; NaN if there is none.
double best(const JsonRows& rows, const JsonRow& some) {
  double least = NAN;
  for (const JsonRow& row : rows.find(some)) least = std::fmin(least, row.number("median_us"));
  return least;
}

void add_target(JsonRows& rows, const std::string& name, double wanted, double measured) {
  if (!std::isfinite(measured)) return;
  rows.add(JsonRow()
               .add("what", "target")
               .add("name", name)
               .add("wanted", wanted)
               .add("measured", measured)
               .add("met", static_cast<long long>(measured >= wanted)));
}

JsonRow product(int rows, int cols, int weight_bits, bool cold) {
  return JsonRow()
      .add("what", "quantize and multiply")
      .add("rows", static_cast<long long>(rows))
      .add("cols", static_cast<long long>(cols))
      .add("weight_bits", static_cast<long long>(weight_bits))
      .add("batch", 1LL)
      .add("cold", static_cast<long long>(cold));
}

// The share of the copy bandwidth, by the faster method.
void add_shares(JsonRows& rows, int size, int cols, int first, int last) {
  for (int weight_bits = first; weight_bits <= last; ++weight_bits) {
    for (const long long activation_bits : {8, 16}) {
      double share = NAN;
      JsonRow some = product(size, cols, weight_bits, true);
      for (const JsonRow& row : rows.find(some.add("activation_bits", activation_bits))) {
        share = std::fmax(share, row.number("of_copy_bandwidth"));
      }
      add_target(rows,
                 "share of copies, " + std::to_string(size) + "x" + std::to_string(cols) + " w" +
                     std::to_string(weight_bits) + " A" + std::to_string(activation_bits),
                 0.8, share);
    }
  }
}

void add_over_float16(JsonRows& rows, int size, int weight_bits, double wanted) {
  const JsonRow peer = JsonRow()
                           .add("what", "cublas float16")
                           .add("rows", static_cast<long long>(size))
                           .add("cols", static_cast<long long>(size))
                           .add("batch", 1LL)
                           .add("cold", 0LL);
  add_target(rows,
             "times as fast as cublas float16, hot, " + std::to_string(size) + " w" +
                 std::to_string(weight_bits),
             wanted, best(rows, peer) / best(rows, product(size, size, weight_bits, false)));
}

JsonRow network_row(const std::string& network, const char* by, long long batch) {
  return JsonRow()
      .add("what", "end to end")
      .add("network", network)
      .add("by", by)
      .add("batch", batch);
}

}  // namespace

void add_targets(JsonRows& rows) {
  add_shares(rows, 16384, 32768, 1, 1);
  add_shares(rows, 16384, 16384, 2, 8);
  for (const int size : {4096, 8192}) {
    add_over_float16(rows, size, 4, 4);
    add_over_float16(rows, size, 2, 6);
  }
  for (const char* network :
       {"mnist 784-4096-4096-10", "lstm 2048, 1 step", "lstm 2048, 32 steps"}) {
    JsonRow ours = network_row(network, "pbatch", 1);
    ours.add("weight_bits", 4LL);
    JsonRow eight = network_row(network, "pbatch", 8);
    eight.add("weight_bits", 4LL);
    const double one = best(rows, ours);
    const std::string name = std::string(network) + " w4: ";
    add_target(rows, name + "times as fast as cublas float32", 8,
               best(rows, network_row(network, "cublas float32", 1)) / one);
    add_target(rows, name + "times as fast as cublasLt int8", 1.5,
               best(rows, network_row(network, "cublasLt int8", 1)) / one);
    add_target(rows, name + "throughput of 8 over 1", 5, 8 * one / best(rows, eight));
  }
}

}  // namespace pbatch::bench
