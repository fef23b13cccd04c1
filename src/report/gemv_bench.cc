#include "report/gemv_bench.h"

#include <algorithm>

#include "plan/builtin_costs.h"
#include "report/baselines.h"
#include "report/gemv_contender.h"

namespace pbatch {
namespace {

Result<std::vector<GemvContender>> gather(const GemvProblem& problem,
                                          const GemvBenchOptions& options,
                                          const KernelPolicy& policy, GemvLane& lane) {
  const std::vector<std::string> chosen{""};
  std::vector<GemvContender> contenders;
  for (const std::string& kernel : options.kernels.empty() ? chosen : options.kernels) {
    for (const int weight_bits : options.weight_bits) {
      for (const int activation_bits : options.activation_bits) {
        PBATCH_ASSIGN_OR_RETURN(
            GemvContender c,
            make_bit_contender(problem, {kernel, weight_bits, activation_bits, options.cold},
                               policy, lane));
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

GemvBenchRow make_row(const GemvProblem& problem, const GemvBenchOptions& options, int threads,
                      const GemvContender& contender, const Timing& timing) {
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
  return row;
}

}  // namespace

Result<std::vector<GemvBenchRow>> gemv_bench(const GemvBenchOptions& options, Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const Isa isa, select_isa());
  const KernelPolicy policy{isa, options.costs != nullptr ? options.costs : builtin_costs(isa)};
  const int planes = *std::max_element(options.weight_bits.begin(), options.weight_bits.end());
  std::vector<GemvBenchRow> rows;
  for (const GemvShape& shape : options.shapes) {
    for (const int batch : options.batches) {
      progress.begin("checking", 1);
      PBATCH_ASSIGN_OR_RETURN(
          const GemvProblem problem,
          make_gemv_problem(shape.rows, shape.cols, batch, planes, options.group));
      for (const int threads : options.threads) {
        GemvLane lane(threads);
        PBATCH_ASSIGN_OR_RETURN(const std::vector<GemvContender> contenders,
                                gather(problem, options, policy, lane));
        std::vector<TimedCall> calls;
        for (const GemvContender& c : contenders) calls.push_back(c.call);
        TimingOptions timing = options.timing;
        timing.threaded = threads > 1;
        PBATCH_ASSIGN_OR_RETURN(const std::vector<Timing> timings,
                                time_interleaved(calls, timing, progress));
        for (std::size_t i = 0; i < contenders.size(); ++i) {
          rows.push_back(make_row(problem, options, threads, contenders[i], timings[i]));
        }
      }
    }
  }
  return rows;
}

}  // namespace pbatch
