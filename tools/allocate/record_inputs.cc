#include "tools/allocate/record_inputs.h"

#include <utility>

#include "calibrate/moment_collector.h"
#include "calibrate/network_kind.h"
#include "calibrate/sample_inputs.h"
#include "tools/allocate/load_runner.h"

namespace pbatch {
namespace {

constexpr std::size_t kSets = 8;
constexpr double kMostRecordWork = 5e8;  // multiply-adds
constexpr std::uint64_t kRecordSeed = 3;

}  // namespace

Result<RecordedInputs> record_inputs(const std::string& file, const QuantizeOptions& options,
                                     ThreadPool& pool) {
  PBATCH_ASSIGN_OR_RETURN(NetworkRunner runner, load_runner(file, options, pool));
  const NetworkKind kind = kind_of(runner.graph(), runner.inputs());
  RecordedInputs made;
  made.statistics = Statistics::samples;
  if (options.samples.empty()) {
    PBATCH_ASSIGN_OR_RETURN(made.statistics, choose_statistics(runner, kind, /*forced=*/true));
  }
  MomentCollector collector({}, pool);
  collector.limit_work(kMostRecordWork);
  runner.record(&made.sets, kSets);
  const Status fed = made.statistics == Statistics::samples
                         ? feed_samples(runner, kind, options.samples, SamplePart::fit, collector)
                         : feed_made_up(runner, kind, made.statistics, kRecordSeed, collector);
  runner.watch(nullptr);
  PBATCH_RETURN_IF_ERROR(fed);
  return made;
}

}  // namespace pbatch
