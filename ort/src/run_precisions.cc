#include "run_precisions.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace pbatch::ort {
namespace {

struct Run {
  const Provider* provider;
  Precision precision;
};

// Innermost last: an operator of somebody else's may run a session of its own.
std::vector<Run>& runs() {
  thread_local std::vector<Run> under_way;
  return under_way;
}

auto find_last(const Provider* provider) {
  return std::find_if(runs().rbegin(), runs().rend(),
                      [&](const Run& run) { return run.provider == provider; });
}

}  // namespace

void begin_run(const Provider* provider, Precision precision) {
  runs().push_back({provider, std::move(precision)});
}

void end_run(const Provider* provider) {
  const auto it = find_last(provider);
  if (it != runs().rend()) runs().erase(std::next(it).base());
}

const Precision* current_precision(const Provider* provider) {
  const auto it = find_last(provider);
  return it == runs().rend() ? nullptr : &it->precision;
}

}  // namespace pbatch::ort
