#include "tools/allocate/allocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "tools/allocate/fit_inputs.h"
#include "tools/allocate/knapsack.h"
#include "tools/allocate/layer_times.h"
#include "tools/allocate/network_error.h"
#include "tools/allocate/network_model.h"
#include "tools/allocate/orthogonality.h"
#include "tools/allocate/sensitivity.h"

namespace pbatch {
namespace {

constexpr int kMostRounds = 12;       // most of which measure nothing new
constexpr double kNearEnough = 0.97;  // of a limit on the error or time
// All bytes are worth this share of the time: predictions are not better than that, and memory is
// not to be given away for less.
constexpr double kWorthOfBytes = 0.02;
constexpr double kBudgetStep = 1.5;  // where nothing tells how far to go

// Importance says nothing of activations.
WidthRange widths_to_choose(const AllocationRequest& request) {
  WidthRange widths = request.widths;
  if (request.importance) {
    std::vector<int>& abits = widths.activation_bits;
    abits.assign(1, *std::max_element(abits.begin(), abits.end()));
  }
  return widths;
}

class Allocator {
 public:
  Allocator(const Session& session, const Contender& reference, const InputSets& sets,
            const std::vector<NamedTensor>& timed, const AllocationRequest& request,
            Progress& progress)
      : session_(session),
        reference_(reference),
        sets_(sets),
        timed_(timed),
        request_(request),
        progress_(progress),
        items_(layer_items(session, widths_to_choose(request))) {}

  Result<BitAllocationResult> run();

 private:
  Status prepare();
  Status measure_uniform();
  Status search();
  Status search_errors();
  Status search_costs();
  Result<double> measure(const Chosen& chosen);
  std::optional<Chosen> solve(double budget) const;
  Result<double> error_of(const Chosen& chosen);
  Result<double> time_of(const Chosen& chosen);
  Status nothing_fits() const;
  Status finish(BitAllocationResult* result);

  Precision precision(const Chosen& chosen) const {
    return precision_of(items_, chosen, request_.widths.exact);
  }
  // What is to be least under a limit on the error, of one choice or of all.
  double cost(double us, double bytes) const {
    return request_.least == Least::bytes ? bytes : us + us_per_byte_ * bytes;
  }
  double cost_of(const Chosen& chosen) const {
    return cost(sum_of_times(items_, chosen), double(sum_of_bytes(items_, chosen)));
  }
  bool keeps_limit(const Chosen& chosen, double error) const;
  bool is_better(const Chosen& a, double error_a, const Chosen& b, double error_b) const;

  const Session& session_;
  const Contender& reference_;
  InputSets sets_;
  const std::vector<NamedTensor>& timed_;
  const AllocationRequest& request_;
  Progress& progress_;
  std::vector<LayerItem> items_;
  std::optional<NetworkError> error_;
  ErrorModel errors_;
  TimeModel times_;
  std::int64_t fixed_bytes_ = 0;
  double us_per_byte_ = 0;

  struct Measured {
    LayerPrecision uniform;
    Chosen chosen;
    double error = 0;
    std::optional<double> predicted_error;
  };
  AllocationRow row_of(const Measured& m) const;
  std::vector<Measured> uniform_;
  std::optional<Measured> best_;  // of those that were not uniform
};

// As many inputs as there is time for, and times of layers, which take no run.
Status Allocator::prepare() {
  const double abits = double(request_.widths.activation_bits.size());
  const double widths = double(request_.widths.weight_bits.size()) * abits;
  const double layers =  // two widths at least
      request_.importance ? 0 : double(items_.size()) * (1 + abits);
  PBATCH_ASSIGN_OR_RETURN(sets_, fit_inputs(session_, Precision::f32(), std::move(sets_),
                                            widths + layers + kMostRounds, request_.seconds));
  std::vector<InputShape> shapes;
  for (const NamedTensor& input : timed_) shapes.push_back({input.name, input.tensor.shape()});
  return predict_times(session_, shapes, request_.widths.exact, items_);
}

Result<double> Allocator::error_of(const Chosen& chosen) { return error_->of(precision(chosen)); }

Result<double> Allocator::time_of(const Chosen& chosen) {
  const std::vector<Contender> one{{&session_, precision(chosen), {}}};
  Progress silent;
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Cost> costs,
                          measure_costs(one, InputSets{timed_}, 1, request_.timing, silent));
  return costs[0].latency_us;
}

// Every width for all layers: something to compare with, and what brings the sums in line.
Status Allocator::measure_uniform() {
  PBATCH_ASSIGN_OR_RETURN(error_, NetworkError::create(reference_, session_, sets_));
  PBATCH_ASSIGN_OR_RETURN(const double all_bits, error_->of(Precision::f32()));
  errors_.all_bits_squared = all_bits * all_bits;
  std::vector<int> widths = request_.widths.weight_bits, abits = request_.widths.activation_bits;
  std::sort(widths.begin(), widths.end());
  std::sort(abits.begin(), abits.end());
  progress_.begin("widths", static_cast<std::int64_t>(widths.size() * abits.size()));
  for (const int width : widths) {
    for (const int a : abits) {
      Chosen chosen = nearest_choices(items_, {width, a});
      progress_.step();
      if (!uniform_.empty() && uniform_.back().chosen == chosen) continue;
      PBATCH_ASSIGN_OR_RETURN(const double error, error_of(chosen));
      uniform_.push_back({{width, a}, std::move(chosen), error, std::nullopt});
    }
  }
  const Chosen &narrow = uniform_.front().chosen, &wide = uniform_.back().chosen;
  PBATCH_ASSIGN_OR_RETURN(const double narrow_us, time_of(narrow));
  PBATCH_ASSIGN_OR_RETURN(const double wide_us, time_of(wide));
  times_.fit(sum_of_times(items_, narrow), narrow_us, sum_of_times(items_, wide), wide_us);
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t bytes, session_.weight_bytes(precision(wide)));
  fixed_bytes_ = bytes - sum_of_bytes(items_, wide);
  us_per_byte_ = kWorthOfBytes * times_.us(sum_of_times(items_, wide)) / times_.scale /
                 std::max(1.0, double(sum_of_bytes(items_, wide)));
  return Status::ok();
}

bool Allocator::keeps_limit(const Chosen& chosen, double error) const {
  switch (request_.limit) {
    case Limit::error:
      return error <= request_.most;
    case Limit::latency:
      return times_.us(sum_of_times(items_, chosen)) <= request_.most;
    case Limit::bytes:
      break;
  }
  return double(fixed_bytes_ + sum_of_bytes(items_, chosen)) <= request_.most;
}

// Of two that keep the limit.
bool Allocator::is_better(const Chosen& a, double error_a, const Chosen& b, double error_b) const {
  if (request_.limit != Limit::error) {
    return error_a != error_b ? error_a < error_b : cost_of(a) < cost_of(b);
  }
  const double cost_a = cost_of(a), cost_b = cost_of(b);
  return cost_a != cost_b ? cost_a < cost_b : error_a < error_b;
}

std::optional<Chosen> Allocator::solve(double budget) const {
  std::vector<std::vector<Choice>> items;
  for (const LayerItem& item : items_) {
    items.emplace_back();
    for (const LayerChoice& c : item.choices) {
      const double bytes = double(c.bytes);
      items.back().push_back(request_.limit == Limit::bytes ? Choice{bytes, c.squared_error}
                             : request_.limit == Limit::latency
                                 ? Choice{c.us, c.squared_error}
                                 : Choice{c.squared_error, cost(c.us, bytes)});
    }
  }
  return solve_knapsack(items, budget);
}

Status Allocator::search() {
  // In line first with the uniform width nearest to the limit.
  const auto distance = [&](const Measured& m) {
    if (request_.limit == Limit::error) return std::abs(std::log(m.error / request_.most));
    const double now = request_.limit == Limit::bytes
                           ? double(fixed_bytes_ + sum_of_bytes(items_, m.chosen))
                           : times_.us(sum_of_times(items_, m.chosen));
    return std::abs(std::log(now / request_.most));
  };
  const auto nearest = std::min_element(
      uniform_.begin(), uniform_.end(),
      [&](const Measured& a, const Measured& b) { return distance(a) < distance(b); });
  errors_.correct(sum_of_errors(items_, nearest->chosen), nearest->error);

  return request_.limit == Limit::error ? search_errors() : search_costs();
}

// Measures an answer of the knapsack, and keeps it if it is the best so far.
Result<double> Allocator::measure(const Chosen& chosen) {
  const double predicted = errors_.error(sum_of_errors(items_, chosen));
  PBATCH_ASSIGN_OR_RETURN(const double error, error_of(chosen));
  errors_.correct(sum_of_errors(items_, chosen), error);
  if (request_.limit == Limit::latency) {
    PBATCH_ASSIGN_OR_RETURN(const double us, time_of(chosen));
    times_.correct(sum_of_times(items_, chosen), us);
  }
  if (keeps_limit(chosen, error) &&
      (!best_ || is_better(chosen, error, best_->chosen, best_->error))) {
    best_ = Measured{{}, chosen, error, predicted};
  }
  return error;
}

// The sum that the layers' errors may have is found as a root is: by the corrected model, between
// what kept the limit and what did not.
Status Allocator::search_errors() {
  double budget = errors_.sum_at(request_.most), kept = 0, missed = 0;  // 0: none yet
  if (budget <= 0) return Status::ok();
  std::map<Chosen, double> known;
  progress_.begin("allocations", kMostRounds);
  for (int round = 0; round < kMostRounds; ++round) {
    progress_.step();
    const std::optional<Chosen> chosen = solve(budget);
    if (!chosen) {  // perhaps the sum is too great by a factor
      if (missed > 0) break;
      budget *= kBudgetStep;
      continue;
    }
    if (known.count(*chosen) == 0) {
      PBATCH_ASSIGN_OR_RETURN(known[*chosen], measure(*chosen));
    }
    const double error = known[*chosen];
    if (error <= request_.most && error >= kNearEnough * request_.most) break;
    (error <= request_.most ? kept : missed) = budget;
    budget = errors_.sum_at(request_.most);
    const bool is_between = budget > kept && (missed == 0 || budget < missed);
    if (is_between) continue;
    budget = kept == 0     ? missed / kBudgetStep
             : missed == 0 ? kept * kBudgetStep
                           : std::sqrt(kept * missed);
  }
  return Status::ok();
}

Status Allocator::search_costs() {
  std::vector<Chosen> known;
  progress_.begin("allocations", kMostRounds);
  for (int round = 0; round < kMostRounds; ++round) {
    progress_.step();
    const std::optional<Chosen> chosen =
        solve(request_.limit == Limit::bytes ? request_.most - double(fixed_bytes_)
                                             : times_.sum_at(request_.most));
    if (!chosen || std::find(known.begin(), known.end(), *chosen) != known.end()) break;
    known.push_back(*chosen);
    PBATCH_RETURN_IF_ERROR(measure(*chosen).status());
    if (request_.limit == Limit::bytes) break;  // the sum is exact
    const double us = times_.us(sum_of_times(items_, *chosen));
    if (us <= request_.most && us >= kNearEnough * request_.most) break;
  }
  return Status::ok();
}

AllocationRow Allocator::row_of(const Measured& m) const {
  AllocationRow row;
  row.precision = precision(m.chosen);
  row.uniform = m.uniform;
  row.error = m.error;
  row.predicted_error = m.predicted_error;
  row.predicted_us = times_.us(sum_of_times(items_, m.chosen));
  row.weight_bytes = fixed_bytes_ + sum_of_bytes(items_, m.chosen);
  return row;
}

Status Allocator::nothing_fits() const {
  if (request_.limit == Limit::error) {
    double least = uniform_.front().error;
    for (const Measured& m : uniform_) least = std::min(least, m.error);
    return {ErrorCode::invalid_argument,
            fmt::format("no widths come within {:.3g} % of float; the nearest is {:.3g} % away",
                        100 * request_.most, 100 * least),
            "allow more, let more weight and activation bits be chosen, or quantize with more "
            "planes"};
  }
  const Chosen& narrow = uniform_.front().chosen;
  if (request_.limit == Limit::bytes) {
    return {ErrorCode::invalid_argument,
            fmt::format("no widths need so few bytes; the narrowest need {}",
                        fixed_bytes_ + sum_of_bytes(items_, narrow)),
            "allow more, let fewer bits be chosen, or quantize with a smaller --floor"};
  }
  double least = times_.us(sum_of_times(items_, narrow));
  for (const Measured& m : uniform_)
    least = std::min(least, times_.us(sum_of_times(items_, m.chosen)));
  return {ErrorCode::invalid_argument,
          fmt::format("no widths are that fast; the fastest take {:.3g} us", least),
          "allow more, or let fewer bits be chosen"};
}

Status Allocator::finish(BitAllocationResult* result) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < uniform_.size(); ++i) {
    const Measured& m = uniform_[i];
    result->uniform.push_back(row_of(m));
    if (!keeps_limit(m.chosen, m.error)) continue;
    if (!best || is_better(m.chosen, m.error, uniform_[*best].chosen, uniform_[*best].error)) {
      best = i;
    }
  }
  if (!best && !best_) return nothing_fits();
  result->best_uniform = best;
  result->is_uniform =
      !best_ || (best && !is_better(best_->chosen, best_->error, uniform_[*best].chosen,
                                    uniform_[*best].error));
  const Measured& taken = result->is_uniform ? uniform_[*best] : *best_;
  result->chosen = row_of(taken);
  PBATCH_ASSIGN_OR_RETURN(result->chosen.us, time_of(taken.chosen));
  if (best && !result->is_uniform) {
    PBATCH_ASSIGN_OR_RETURN(result->uniform[*best].us, time_of(uniform_[*best].chosen));
  }
  result->items = std::move(items_);
  result->error_runs = sets_.size();
  return Status::ok();
}

Result<BitAllocationResult> Allocator::run() {
  PBATCH_RETURN_IF_ERROR(prepare());
  PBATCH_RETURN_IF_ERROR(measure_uniform());
  // Where all bits are too far away, no layer needs to be looked at.
  if (request_.limit != Limit::error || errors_.sum_at(request_.most) > 0) {
    if (request_.importance) {
      set_errors_by_importance(*request_.importance, items_);
    } else {
      PBATCH_RETURN_IF_ERROR(
          measure_sensitivity(session_, sets_, request_.seconds, items_, progress_));
    }
    PBATCH_RETURN_IF_ERROR(search());
  }
  BitAllocationResult result;
  PBATCH_RETURN_IF_ERROR(finish(&result));
  return result;
}

}  // namespace

Result<BitAllocationResult> allocate_bits(const Session& session, const Contender& reference,
                                          const InputSets& sets,
                                          const std::vector<NamedTensor>& timed,
                                          const AllocationRequest& request, Progress& progress) {
  return Allocator(session, reference, sets, timed, request, progress).run();
}

}  // namespace pbatch
