#include "bench/gpu/blas.h"

#include <string>

namespace pbatch::bench {
namespace {

constexpr std::int64_t kWorkspace = std::int64_t{64} << 20;

Status check_blas(cublasStatus_t status, const char* doing) {
  if (status == CUBLAS_STATUS_SUCCESS) return Status::ok();
  return {ErrorCode::internal, std::string(doing) + ": " + cublasGetStatusString(status)};
}

}  // namespace

const char* peer_name(PeerType type) {
  switch (type) {
    case PeerType::float32:
      return "cublas float32";
    case PeerType::tf32:
      return "cublas tf32";
    case PeerType::float16:
      return "cublas float16";
    default:
      return "cublasLt int8";
  }
}

std::int64_t weight_size(PeerType type) {
  return type == PeerType::int8 ? 1 : type == PeerType::float16 ? 2 : 4;
}
std::int64_t result_size(PeerType type) { return type == PeerType::float16 ? 2 : 4; }

// Descriptions that cublasLtMatmul needs.
struct Blas::Int8Product {
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t weights = nullptr, x = nullptr, y = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t found = {};

  ~Int8Product() {
    if (preference != nullptr) (void)cublasLtMatmulPreferenceDestroy(preference);
    for (const cublasLtMatrixLayout_t layout : {weights, x, y}) {
      if (layout != nullptr) (void)cublasLtMatrixLayoutDestroy(layout);
    }
    if (product != nullptr) (void)cublasLtMatmulDescDestroy(product);
  }
  Status describe(cublasLtHandle_t lt, int rows, int cols, int batch) {
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const auto m = static_cast<std::uint64_t>(rows), k = static_cast<std::uint64_t>(cols),
               n = static_cast<std::uint64_t>(batch);
    const auto workspace = static_cast<std::size_t>(kWorkspace);
    PBATCH_RETURN_IF_ERROR(
        check_blas(cublasLtMatmulDescCreate(&product, CUBLAS_COMPUTE_32I, CUDA_R_32I),
                   "cublasLtMatmulDescCreate"));
    PBATCH_RETURN_IF_ERROR(
        check_blas(cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                                  sizeof transposed),
                   "cublasLtMatmulDescSetAttribute"));
    PBATCH_RETURN_IF_ERROR(
        check_blas(cublasLtMatrixLayoutCreate(&weights, CUDA_R_8I, k, m, cols), "layout of W"));
    PBATCH_RETURN_IF_ERROR(
        check_blas(cublasLtMatrixLayoutCreate(&x, CUDA_R_8I, k, n, cols), "layout of x"));
    PBATCH_RETURN_IF_ERROR(
        check_blas(cublasLtMatrixLayoutCreate(&y, CUDA_R_32I, m, n, rows), "layout of y"));
    PBATCH_RETURN_IF_ERROR(
        check_blas(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate"));
    PBATCH_RETURN_IF_ERROR(check_blas(
        cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace, sizeof workspace),
        "cublasLtMatmulPreferenceSetAttribute"));
    int count = 0;
    PBATCH_RETURN_IF_ERROR(check_blas(cublasLtMatmulAlgoGetHeuristic(lt, product, weights, x, y, y,
                                                                     preference, 1, &found, &count),
                                      "cublasLtMatmulAlgoGetHeuristic"));
    if (count == 0) return {ErrorCode::unsupported, "cublasLt has no such product"};
    return Status::ok();
  }
};

Blas::Blas() = default;

Blas::~Blas() {
  if (blas_ != nullptr) (void)cublasDestroy(blas_);
  int8_.clear();
  if (lt_ != nullptr) (void)cublasLtDestroy(lt_);
}

Result<std::unique_ptr<Blas>> Blas::open(const std::shared_ptr<cuda::Device>& device) {
  std::unique_ptr<Blas> blas(new Blas);
  PBATCH_RETURN_IF_ERROR(check_blas(cublasCreate(&blas->blas_), "cublasCreate"));
  PBATCH_RETURN_IF_ERROR(check_blas(cublasLtCreate(&blas->lt_), "cublasLtCreate"));
  PBATCH_ASSIGN_OR_RETURN(blas->workspace_, DeviceBuffer::allocate(device, kWorkspace));
  return blas;
}

Result<Blas::Int8Product*> Blas::int8_product(int rows, int cols, int batch) {
  std::unique_ptr<Int8Product>& entry = int8_[{rows, cols, batch}];
  if (entry == nullptr) {
    auto made = std::make_unique<Int8Product>();
    PBATCH_RETURN_IF_ERROR(made->describe(lt_, rows, cols, batch));
    entry = std::move(made);
  }
  return entry.get();
}

Result<int> Blas::batch_for(PeerType type, int rows, int cols, int batch) {
  if (type != PeerType::int8) return batch;
  for (const int tried : {batch, (batch + 3) / 4 * 4, (batch + 7) / 8 * 8}) {
    if (int8_product(rows, cols, tried).is_ok()) return tried;
  }
  const int sixteens = (batch + 15) / 16 * 16;
  PBATCH_RETURN_IF_ERROR(int8_product(rows, cols, sixteens).status());
  return sixteens;
}

Status Blas::multiply(PeerType type, const void* w, const void* x, void* y, int rows, int cols,
                      int batch, cudaStream_t stream) {
  if (type == PeerType::int8) {
    PBATCH_ASSIGN_OR_RETURN(Int8Product * int8, int8_product(rows, cols, batch));
    const int one = 1, zero = 0;
    return check_blas(
        cublasLtMatmul(lt_, int8->product, &one, w, int8->weights, x, int8->x, &zero, y, int8->y, y,
                       int8->y, &int8->found.algo, workspace_.as<void>(),
                       static_cast<std::size_t>(kWorkspace), stream),
        "cublasLtMatmul");
  }
  const float one = 1, zero = 0;
  const cudaDataType_t held = type == PeerType::float16 ? CUDA_R_16F : CUDA_R_32F;
  const cublasComputeType_t compute =
      type == PeerType::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  PBATCH_RETURN_IF_ERROR(check_blas(cublasSetStream(blas_, stream), "cublasSetStream"));
  PBATCH_RETURN_IF_ERROR(check_blas(
      cublasSetWorkspace(blas_, workspace_.as<void>(), static_cast<std::size_t>(kWorkspace)),
      "cublasSetWorkspace"));
  return check_blas(
      cublasGemmEx(blas_, CUBLAS_OP_T, CUBLAS_OP_N, rows, batch, cols, &one, w, held, cols, x, held,
                   cols, &zero, y, held, rows, compute, CUBLAS_GEMM_DEFAULT),
      "cublasGemmEx");
}

}  // namespace pbatch::bench
