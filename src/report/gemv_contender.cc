#include "report/gemv_contender.h"

#include <cstring>

#include "base/aligned_buffer.h"
#include "execute/bit_gemm.h"
#include "pack/layout.h"
#include "plan/choose_kernel.h"
#include "quantize/dequantize.h"

namespace pbatch {
namespace {

// What rounding of the float accumulators may add up to.
constexpr double kTolerance = 1e-4;

struct BitRunner {
  const GemvProblem* problem;
  GemvLane* lane;
  int activation_bits;
  std::vector<std::unique_ptr<MatrixCache>> caches;
  std::vector<std::shared_ptr<const PreparedMatrix>> matrices;  // cold: many, taken in turn
  std::vector<float> y;

  Status run(std::int64_t i) {
    BitGemmCall call;
    call.x = problem->x.data();
    call.ldx = problem->cols;
    call.y = y.data();
    call.ldy = problem->rows;
    call.batch = problem->batch;
    call.activation_bits = activation_bits;
    return bit_gemm(*matrices[static_cast<std::size_t>(i) % matrices.size()], call, lane->pool,
                    lane->buffers);
  }
};

// The first `bits` planes at an address of their own.
Result<std::shared_ptr<const BitMatrix>> copy_planes(const BitMatrix& matrix, int bits) {
  const auto size = static_cast<std::size_t>(plane_bytes(matrix.rows, matrix.cols));
  const std::shared_ptr<void> memory = allocate_aligned(static_cast<std::size_t>(bits) * size);
  if (memory == nullptr) {
    return Status(ErrorCode::out_of_memory, "no memory for 300 MB of cold weights",
                  "leave --cold out");
  }
  auto copy = std::make_shared<BitMatrix>(matrix);
  copy->planes.clear();
  copy->owner = std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<void>>>(
      matrix.owner, memory);
  auto* to = static_cast<std::uint8_t*>(memory.get());
  for (int p = 0; p < bits; ++p, to += size) {
    std::memcpy(to, matrix.planes[static_cast<std::size_t>(p)].data(), size);
    copy->planes.emplace_back(to, size);
  }
  return std::shared_ptr<const BitMatrix>(std::move(copy));
}

Status add_matrix(BitRunner& runner, std::shared_ptr<const BitMatrix> matrix,
                  const BitKernel& kernel, int bits) {
  runner.caches.push_back(std::make_unique<MatrixCache>(std::move(matrix)));
  PBATCH_ASSIGN_OR_RETURN(auto prepared, runner.caches.back()->get(kernel, bits));
  runner.matrices.push_back(std::move(prepared));
  return Status::ok();
}

// kColdBytes of the matrix. Caches whose kernel repacks have planes of their own already.
Status add_cold_copies(BitRunner& runner, const std::shared_ptr<const BitMatrix>& matrix,
                       const BitKernel& kernel, int bits) {
  const std::int64_t each = bits * plane_bytes(matrix->rows, matrix->cols);
  for (std::int64_t made = 0; made < kColdBytes; made += each) {
    std::shared_ptr<const BitMatrix> copy = matrix;
    if (kernel.layout == kLayoutNibbles) {
      PBATCH_ASSIGN_OR_RETURN(copy, copy_planes(*matrix, bits));
    }
    PBATCH_RETURN_IF_ERROR(add_matrix(runner, std::move(copy), kernel, bits));
  }
  return Status::ok();
}

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

Status check_bits(BitRunner& runner, const BitMatrix& matrix, int bits, const std::string& name) {
  PBATCH_ASSIGN_OR_RETURN(const Tensor weights, dequantize(matrix, bits, /*transposed=*/false));
  const std::vector<float> x = rounded_activations(*runner.problem, runner.activation_bits);
  const std::vector<double> right = naive_product(*runner.problem, weights.data<float>(), x);
  PBATCH_RETURN_IF_ERROR(runner.run(0));
  return check_answer(*runner.problem, runner.y, right, kTolerance,
                      name + " at " + std::to_string(bits) + " bits");
}

}  // namespace

Result<GemvContender> make_bit_contender(const GemvProblem& problem, const BitContenderSpec& spec,
                                         const KernelPolicy& policy, GemvLane& lane) {
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
  PBATCH_RETURN_IF_ERROR(add_matrix(*runner, problem.matrix, *kernel, spec.weight_bits));
  PBATCH_RETURN_IF_ERROR(check_bits(*runner, *problem.matrix, spec.weight_bits, kernel->name));
  if (spec.cold) {
    PBATCH_RETURN_IF_ERROR(add_cold_copies(*runner, problem.matrix, *kernel, spec.weight_bits));
  }
  const BitMatrix& m = *problem.matrix;
  GemvContender contender{kernel->name, spec.weight_bits, spec.activation_bits, 0, {}};
  contender.weight_bytes =
      spec.weight_bits * plane_bytes(m.rows, m.cols) +
      static_cast<std::int64_t>(m.group_codes.size_bytes() + m.codebook.size_bytes() +
                                m.row_scale.size_bytes());
  contender.of_bit_layers = true;
  contender.call = [runner](std::int64_t i) { return runner->run(i); };
  return contender;
}

}  // namespace pbatch
