#include "tools/bench/tune_kernels.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "isa/cpu.h"
#include "product/bit_gemm.h"
#include "quantize/dequantize.h"
#include "tools/bench/gemv_contender.h"
#include "tools/bench/gemv_problem.h"
#include "tools/bench/read_bandwidth.h"
#include "tools/bench/timing.h"

namespace pbatch {
namespace {

constexpr int kGroup = 64;
constexpr double kTunedTolerance = 1e-4;  // what rounding of the float accumulators may add up to

// Kernels that read as many bytes of weights: only these are left out for each other. Where weights
// come from memory the others decide by their bytes.
std::size_t league(const BitKernel& kernel) { return joins_planes(kernel.layout) ? 1 : 0; }
template <class T>
using PerLeague = std::array<T, 2>;

// A kernel so many times slower than the best, for one vector and for 16, is not measured further.
constexpr double kBehind = 2.5;
// One that nowhere comes closer to the best is left out of the table.
constexpr double kNear = 1.1;
constexpr double kNever = std::numeric_limits<double>::infinity();
// So much slower for one vector: it is not even tried with 16.
constexpr double kHopeless = 20;
constexpr std::int64_t kManyRowBlocks = 8;  // as many as a band may have
constexpr int kPilotBatch = 16, kPilotCalls = 3;
// Everything about a matrix is timed so many times, the least counts: what disturbs a measurement
// has gone by when its turn comes again.
constexpr int kPasses = 3;

// One row block, or many columns of it, tells what is wasted at any batch; the large matrix is
// bound by its weights, the less so the more vectors: a cost at 16 holds for more.
std::vector<std::size_t> batches_of(std::size_t matrix) {
  if (matrix == kLargeCostMatrix) return {0, 1, 2, 3, 4};
  if (matrix + 1 == kLargeCostMatrix) return {0, 1, 2, 3, 4, 5};
  return {0, 2, 4};
}

// A kernel at one precision on the problem at hand.
struct Runner {
  const BitKernel* kernel = nullptr;
  std::shared_ptr<const PreparedMatrix> matrix;
};

class Tuner {
 public:
  Tuner(IsaChoice isa, const TuneOptions& options, Progress& progress)
      : options_(options), progress_(progress) {
    for (const BitKernel& kernel : all_kernels().subspan(1)) {  // without the reference
      if (isa.runs(kernel.isa)) kernels_.push_back(&kernel);
    }
    for (int bits = 1; bits <= kCostWidths; ++bits) {
      for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
        for (const BitKernel* kernel : kernels_) {
          // Dense fields that are fields have a kernel already.
          const bool is_twice = kernel->layout == kLayoutDense &&
                                dense_field_bits(bits, kManyRowBlocks) == field_bits(bits);
          if (!is_twice) race(bits, a).push_back(kernel);
        }
      }
    }
  }

  Result<KernelCosts> run() {
    std::size_t steps = 0;
    for (const std::size_t m : options_.matrices) {
      steps += batches_of(m).size() * kCostWidths * kCostActivationBits.size();
    }
    progress_.begin("tuning", static_cast<std::int64_t>(steps) * passes());
    PBATCH_RETURN_IF_ERROR(measure_memory());
    for (const std::size_t m : options_.matrices) PBATCH_RETURN_IF_ERROR(measure_matrix(m));
    if (options_.seconds > 0) forget_losers();
    return std::move(costs_);
  }

 private:
  Status measure_memory() {
    const long long bytes =
        options_.bandwidth_bytes > 0 ? options_.bandwidth_bytes : kBandwidthBytes;
    const int all = ThreadPool(0).threads();
    for (const int threads : {1, all}) {
      if (!costs_.memory.empty() && threads == 1) continue;
      PBATCH_ASSIGN_OR_RETURN(const double ps,
                              read_ps_per_byte(threads, options_.seconds > 0 ? 5 : 1, bytes));
      costs_.memory.push_back({threads, ps});
    }
    return Status::ok();
  }

  Status measure_matrix(std::size_t m) {
    const std::vector<std::size_t> batches = batches_of(m);
    const CostMatrix& size = kCostMatrices[m];
    PBATCH_ASSIGN_OR_RETURN(
        problem_,
        make_gemv_problem(size.rows, size.cols, kCostBatches[batches.back()], kCostWidths, kGroup));
    MatrixCache cache(problem_->matrix);
    for (int bits = 1; bits <= kCostWidths; ++bits) {
      PBATCH_ASSIGN_OR_RETURN(const Tensor weights,
                              dequantize(*problem_->matrix, bits, /*transposed=*/false));
      for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
        PBATCH_ASSIGN_OR_RETURN(std::vector<Runner> runners, prepare(cache, bits, a));
        PBATCH_RETURN_IF_ERROR(find_answer(runners.back(), weights.data<float>(), bits, a));
        if (m == options_.matrices[0]) PBATCH_RETURN_IF_ERROR(drop_the_slow(runners, bits, a));
        for (const std::size_t b : batches) {
          for (const Runner& r : runners) PBATCH_RETURN_IF_ERROR(check(r, kCostBatches[b], a));
        }
      }
    }
    for (int pass = 0; pass < passes(); ++pass) {
      for (int bits = 1; bits <= kCostWidths; ++bits) {
        for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
          PBATCH_ASSIGN_OR_RETURN(const std::vector<Runner> runners, prepare(cache, bits, a));
          for (const std::size_t b : batches) {
            PBATCH_RETURN_IF_ERROR(measure(runners, {m, a, b}, bits));
            progress_.step();
          }
        }
      }
    }
    return Status::ok();
  }

  int passes() const { return options_.seconds > 0 ? kPasses : 1; }

  Result<std::vector<Runner>> prepare(MatrixCache& cache, int bits, std::size_t a) {
    std::vector<Runner> runners;
    for (const BitKernel* kernel : race(bits, a)) {
      PBATCH_ASSIGN_OR_RETURN(auto prepared, cache.get(*kernel, bits));
      runners.push_back({kernel, std::move(prepared)});
    }
    return runners;
  }

  std::vector<const BitKernel*>& race(int bits, std::size_t a) {
    return in_race_[static_cast<std::size_t>(bits - 1)][a];
  }

  // One product into y_.
  Status multiply(const Runner& runner, std::int64_t batch, std::size_t a) {
    BitGemmCall call;
    call.x = problem_->x.data();
    call.ldx = problem_->cols;
    call.y = y_.data();
    call.ldy = problem_->rows;
    call.batch = batch;
    call.activation_bits = kCostActivationBits[a];
    return bit_gemm(*runner.matrix, call, lane_.pool, lane_.buffers);
  }

  // What every kernel must answer, to the bit: that of one, if double precision agrees.
  Status find_answer(const Runner& one, const float* weights, int bits, std::size_t a) {
    y_.resize(static_cast<std::size_t>(problem_->batch * problem_->rows));
    PBATCH_RETURN_IF_ERROR(multiply(one, problem_->batch, a));
    answer_ = y_;
    const std::vector<float> x = rounded_activations(*problem_, kCostActivationBits[a]);
    return check_answer(*problem_, answer_, naive_product(*problem_, weights, x), kTunedTolerance,
                        one.kernel->name + (" at " + std::to_string(bits)) + " bits");
  }

  // Results depend neither on the kernel nor on the batch.
  Status check(const Runner& runner, std::int64_t batch, std::size_t a) {
    const auto count = static_cast<std::size_t>(batch * problem_->rows);
    std::fill(y_.begin(), y_.end(), std::numeric_limits<float>::quiet_NaN());
    PBATCH_RETURN_IF_ERROR(multiply(runner, batch, a));
    if (std::memcmp(y_.data(), answer_.data(), count * sizeof(float)) == 0) return Status::ok();
    return {ErrorCode::internal,
            std::string(runner.kernel->name) + " computes other bits than the other kernels",
            "report this with the machine's processor name"};
  }

  Result<double> time_few(const Runner& runner, std::int64_t batch, std::size_t a) {
    PBATCH_RETURN_IF_ERROR(check(runner, batch, a));
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kPilotCalls; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      PBATCH_RETURN_IF_ERROR(multiply(runner, batch, a));
      const auto end = std::chrono::steady_clock::now();
      best = std::min(best, std::chrono::duration<double, std::micro>(end - begin).count());
    }
    return best;
  }

  Status drop_the_slow(std::vector<Runner>& runners, int bits, std::size_t a) {
    std::vector<double> one, many;
    PerLeague<double> best_one{kNever, kNever}, best_many{kNever, kNever};
    for (const Runner& r : runners) {
      PBATCH_ASSIGN_OR_RETURN(const double us, time_few(r, 1, a));
      one.push_back(us);
      double& best = best_one[league(*r.kernel)];
      best = std::min(best, us);
    }
    for (std::size_t i = 0; i < runners.size(); ++i) {
      many.push_back(kNever);
      if (one[i] > kHopeless * best_one[league(*runners[i].kernel)]) continue;
      PBATCH_ASSIGN_OR_RETURN(many[i], time_few(runners[i], kPilotBatch, a));
      double& best = best_many[league(*runners[i].kernel)];
      best = std::min(best, many[i]);
    }
    std::vector<Runner> left;
    race(bits, a).clear();
    for (std::size_t i = 0; i < runners.size(); ++i) {
      const std::size_t l = league(*runners[i].kernel);
      if (one[i] > kBehind * best_one[l] && many[i] > kBehind * best_many[l]) continue;
      race(bits, a).push_back(runners[i].kernel);
      left.push_back(runners[i]);
    }
    runners = std::move(left);
    return Status::ok();
  }

  Status measure(const std::vector<Runner>& runners, const CostPoint& point, int bits) {
    const std::int64_t batch = kCostBatches[point.batch];
    std::vector<TimedCall> calls;
    for (const Runner& r : runners) {
      calls.emplace_back(
          [this, &r, batch, &point](std::int64_t) { return multiply(r, batch, point.activation); });
    }
    Progress silent;
    TimingOptions timing;
    timing.seconds = timing.turn_seconds = options_.seconds / kPasses;
    timing.min_rounds = 1;
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Timing> timings,
                            time_interleaved(calls, timing, silent));
    const auto products = static_cast<double>(problem_->rows * problem_->cols * batch);
    for (std::size_t i = 0; i < runners.size(); ++i) {
      WidthCosts widths = costs_.at(*runners[i].kernel, point);
      double& cost = widths[static_cast<std::size_t>(bits - 1)];
      const double ps = timings[i].min_us * 1e6 / products;
      cost = cost > 0 ? std::min(cost, ps) : ps;
      costs_.set(*runners[i].kernel, point, widths);
    }
    return Status::ok();
  }

  // Kernels that come nowhere near the best of their league only slow the choice down.
  void forget_losers() {
    std::set<const BitKernel*> near;
    for (std::size_t m = 0; m < kCostMatrices.size(); ++m) {
      for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
        for (std::size_t b = 0; b < kCostBatches.size(); ++b) {
          for (std::size_t w = 0; w < kCostWidths; ++w) add_near({m, a, b}, w, near);
        }
      }
    }
    for (const BitKernel* kernel : kernels_) {
      if (!near.contains(kernel)) costs_.forget(*kernel);
    }
  }

  void add_near(const CostPoint& point, std::size_t width, std::set<const BitKernel*>& near) const {
    PerLeague<double> best{kNever, kNever};
    for (const BitKernel* kernel : kernels_) {
      const double cost = costs_.at(*kernel, point)[width];
      double& least = best[league(*kernel)];
      if (cost > 0) least = std::min(least, cost);
    }
    for (const BitKernel* kernel : kernels_) {
      const double cost = costs_.at(*kernel, point)[width];
      if (cost > 0 && cost <= kNear * best[league(*kernel)]) near.insert(kernel);
    }
  }

  const TuneOptions& options_;
  Progress& progress_;
  GemvLane lane_{1};
  std::vector<const BitKernel*> kernels_;
  // The kernels still measured, by width and activation bits.
  std::array<std::array<std::vector<const BitKernel*>, kCostActivationBits.size()>, kCostWidths>
      in_race_;
  KernelCosts costs_;
  std::optional<GemvProblem> problem_;
  std::vector<float> y_, answer_;
};

}  // namespace

Result<KernelCosts> tune_kernels(IsaChoice isa, const TuneOptions& options, const std::string& date,
                                 Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(KernelCosts costs, Tuner(isa, options, progress).run());
  costs.header = {build_identity(), isa_name(isa.best), cpu_identity(), date};
  return costs;
}

}  // namespace pbatch
