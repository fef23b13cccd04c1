#include "tools/bench/gemv_bench.h"

#include <algorithm>
#include <map>
#include <set>

#include "cost/builtin_costs.h"
#include "tools/bench/baselines.h"
#include "tools/bench/gemv_ceiling.h"
#include "tools/bench/gemv_contender.h"

namespace pbatch {
namespace {

Result<std::vector<GemvContender>> gather(const GemvProblem& problem,
                                          const GemvBenchOptions& options,
                                          const KernelPolicy& policy, GemvStock& stock,
                                          GemvLane& lane) {
  const std::vector<std::string> chosen{""};
  std::vector<GemvContender> contenders;
  for (const std::string& kernel : options.kernels.empty() ? chosen : options.kernels) {
    for (const int weight_bits : options.weight_bits) {
      for (const int activation_bits : options.activation_bits) {
        PBATCH_ASSIGN_OR_RETURN(
            GemvContender c,
            make_bit_contender(problem, {kernel, weight_bits, activation_bits, options.cold},
                               policy, stock, lane));
        contenders.push_back(std::move(c));
      }
    }
  }
  if (!options.peers) return contenders;
  for (const std::string_view name : baseline_names()) {
    PBATCH_ASSIGN_OR_RETURN(GemvContender c,
                            make_peer_contender(problem, name, options.cold, lane));
    contenders.push_back(std::move(c));
  }
  return contenders;
}

Result<std::vector<CeilingContender>> gather_ceilings(const std::vector<GemvContender>& contenders,
                                                      const GemvBenchOptions& options, Isa isa,
                                                      GemvLane& lane) {
  std::set<std::int64_t> sizes;
  for (const GemvContender& c : contenders) {
    if (c.of_bit_layers) sizes.insert(options.cold ? kColdReadBytes : c.weight_bytes);
  }
  std::vector<CeilingContender> ceilings;
  for (const std::int64_t bytes : sizes) {
    PBATCH_ASSIGN_OR_RETURN(CeilingContender c, make_read_ceiling(bytes, options.cold, lane));
    ceilings.push_back(std::move(c));
  }
  if (auto multiply = make_multiply_ceiling(isa, lane)) ceilings.push_back(std::move(*multiply));
  return ceilings;
}

GemvCeiling make_ceiling(const GemvProblem& problem, const GemvBenchOptions& options, int threads,
                         const CeilingContender& contender, const Timing& timing) {
  GemvCeiling c;
  c.shape = {problem.rows, problem.cols};
  c.threads = threads;
  c.cold = options.cold;
  c.kind = contender.kind;
  c.bytes = contender.bytes;
  c.huge_pages = contender.huge_pages;
  c.min_us = timing.min_us;
  c.median_us = timing.median_us;
  c.gbps = static_cast<double>(contender.bytes) / timing.median_us / 1e3;
  c.gmacs = static_cast<double>(contender.macs) / timing.median_us / 1e3;
  return c;
}

GemvBenchRow make_row(const GemvProblem& problem, const GemvBenchOptions& options, int threads,
                      const GemvContender& contender, const Timing& timing,
                      const std::vector<GemvCeiling>& ceilings) {
  GemvBenchRow row;
  row.shape = {problem.rows, problem.cols};
  row.batch = problem.batch;
  row.threads = threads;
  row.cold = options.cold;
  row.kernel = contender.name;
  row.weight_bits = contender.weight_bits;
  row.activation_bits = contender.activation_bits;
  row.min_us = timing.min_us;
  row.median_us = timing.median_us;
  row.gbps = static_cast<double>(contender.weight_bytes) / timing.median_us / 1e3;
  row.gmacs = static_cast<double>(problem.rows) * static_cast<double>(problem.cols) *
              static_cast<double>(problem.batch) / timing.median_us / 1e3;
  for (const GemvCeiling& c : ceilings) {
    const bool as_much = c.bytes / 64 == contender.weight_bytes / 64;
    if (c.kind == "read" && (options.cold || (contender.of_bit_layers && as_much))) {
      row.share_of_read = row.gbps / c.gbps;
    }
  }
  return row;
}

}  // namespace

Result<GemvBenchResult> gemv_bench(const GemvBenchOptions& options, Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  const KernelPolicy policy{
      isa, options.costs != nullptr ? options.costs : builtin_costs_here(isa.best)};
  const int planes = *std::max_element(options.weight_bits.begin(), options.weight_bits.end());
  const int most_vectors = *std::max_element(options.batches.begin(), options.batches.end());
  GemvBenchResult result;
  for (const GemvShape& shape : options.shapes) {
    progress.begin("quantizing", 1);
    PBATCH_ASSIGN_OR_RETURN(
        const GemvProblem largest,
        make_gemv_problem(shape.rows, shape.cols, most_vectors, planes, options.group));
    GemvStock stock(largest.matrix);
    std::map<int, std::vector<GemvCeiling>> ceilings;  // by threads
    for (const int batch : options.batches) {
      progress.begin("checking", 1);
      const GemvProblem problem = with_batch(largest, batch);
      for (const int threads : options.threads) {
        GemvLane lane(threads);
        if (!options.cpus.empty()) {
          PBATCH_RETURN_IF_ERROR(
              lane.pool.pin({options.cpus.begin(), options.cpus.begin() + threads}));
        }
        PBATCH_ASSIGN_OR_RETURN(const std::vector<GemvContender> contenders,
                                gather(problem, options, policy, stock, lane));
        std::vector<CeilingContender> limits;
        if (!ceilings.contains(threads)) {
          PBATCH_ASSIGN_OR_RETURN(limits, gather_ceilings(contenders, options, isa.best, lane));
        }
        std::vector<TimedCall> calls;
        TimingOptions timing = options.timing;
        for (const CeilingContender& c : limits) {
          calls.push_back(c.call);
          timing.leaves_awake.push_back(false);
        }
        for (const GemvContender& c : contenders) {
          calls.push_back(c.call);
          timing.leaves_awake.push_back(threads > 1 && !c.of_bit_layers);
        }
        PBATCH_ASSIGN_OR_RETURN(const std::vector<Timing> timings,
                                time_interleaved(calls, timing, progress));
        std::vector<GemvCeiling>& known = ceilings[threads];
        for (std::size_t i = 0; i < limits.size(); ++i) {
          known.push_back(make_ceiling(problem, options, threads, limits[i], timings[i]));
          result.ceilings.push_back(known.back());
        }
        for (std::size_t i = 0; i < contenders.size(); ++i) {
          result.rows.push_back(make_row(problem, options, threads, contenders[i],
                                         timings[limits.size() + i], known));
        }
      }
    }
  }
  return result;
}

}  // namespace pbatch
