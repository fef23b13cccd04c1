#include "tools/bench/gemv_contender.h"

#include "cost/choose_kernel.h"
#include "layout/layout.h"
#include "product/bit_gemm.h"

namespace pbatch {
namespace {

// What rounding of the float accumulators may add up to.
constexpr double kTolerance = 1e-4;

struct BitRunner {
  const GemvProblem* problem;
  GemvLane* lane;
  int activation_bits;
  std::shared_ptr<WeightRotation> weights;
  std::vector<float> y;

  Status run() {
    BitGemmCall call;
    call.x = problem->x.data();
    call.ldx = problem->cols;
    call.y = y.data();
    call.ldy = problem->rows;
    call.batch = problem->batch;
    call.activation_bits = activation_bits;
    return bit_gemm(weights->take(), call, lane->pool, lane->buffers);
  }
};

Result<const BitKernel*> kernel_named(const std::string& name) {
  const BitKernel* kernel = find_kernel(name);
  if (kernel == nullptr || !isa_runs_here(kernel->isa)) {
    std::string known;
    for (const BitKernel& k : all_kernels()) {
      if (isa_runs_here(k.isa)) known += (known.empty() ? "" : ", ") + std::string(k.name);
    }
    return Status(ErrorCode::not_found,
                  kernel == nullptr ? "there is no kernel '" + name + "'"
                                    : "this machine cannot run kernel '" + name + "'",
                  "choose one of " + known);
  }
  return kernel;
}

}  // namespace

Result<GemvContender> make_bit_contender(const GemvProblem& problem, const BitContenderSpec& spec,
                                         const KernelPolicy& policy, GemvStock& stock,
                                         GemvLane& lane) {
  const BitKernel* kernel = nullptr;
  if (spec.kernel.empty()) {
    const GemmShape shape{problem.rows,
                          problem.cols,
                          problem.batch,
                          spec.weight_bits,
                          spec.activation_bits,
                          lane.pool.threads(),
                          spec.cold ? kColdBytes / spec.weight_bits : 0};
    kernel = &choose_kernel(shape, policy.isa, *policy.costs);
  } else {
    PBATCH_ASSIGN_OR_RETURN(kernel, kernel_named(spec.kernel));
  }
  auto runner = std::make_shared<BitRunner>();
  runner->problem = &problem;
  runner->lane = &lane;
  runner->activation_bits = spec.activation_bits;
  runner->y.resize(static_cast<std::size_t>(problem.batch * problem.rows));
  PBATCH_ASSIGN_OR_RETURN(runner->weights, stock.weights(*kernel, spec.weight_bits, spec.cold));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<double>* right,
                          stock.answer(problem, spec.weight_bits, spec.activation_bits));
  PBATCH_RETURN_IF_ERROR(runner->run());
  PBATCH_RETURN_IF_ERROR(check_answer(
      problem, runner->y, *right, kTolerance,
      std::string(kernel->name) + " at " + std::to_string(spec.weight_bits) + " bits"));
  const BitMatrix& m = *problem.matrix;
  GemvContender contender{kernel->name, spec.weight_bits, spec.activation_bits, 0, {}};
  contender.weight_bytes = spec.weight_bits * plane_bytes(m.rows, m.cols) + m.scale_bytes();
  contender.of_bit_layers = true;
  contender.call = [runner](std::int64_t) { return runner->run(); };
  return contender;
}

}  // namespace pbatch
