// The same matrix times vector by cuBLAS in float32, TF32, float16 and int8, and by a plain float16
// kernel. Weights and vectors are -1, 0 and 1, so that every result is exact and is checked.
#include <cublasLt.h>
#include <cublas_v2.h>

#include <random>
#include <string>
#include <vector>

#include "bench/gpu/graph_timer.h"
#include "bench/gpu/half_gemv.h"
#include "bench/gpu/parts.h"
#include "cuda/device_buffer.h"

namespace pbatch::bench {
namespace {

using cuda::DeviceBuffer;

Status check_blas(cublasStatus_t status, const char* doing) {
  if (status == CUBLAS_STATUS_SUCCESS) return Status::ok();
  return {ErrorCode::internal, std::string(doing) + ": " + cublasGetStatusString(status)};
}

constexpr std::int64_t kWorkspace = std::int64_t{64} << 20;

struct Library {
  cublasHandle_t blas = nullptr;
  cublasLtHandle_t lt = nullptr;
  DeviceBuffer workspace;

  ~Library() {
    if (blas != nullptr) (void)cublasDestroy(blas);
    if (lt != nullptr) (void)cublasLtDestroy(lt);
  }
  Status open() {
    PBATCH_RETURN_IF_ERROR(check_blas(cublasCreate(&blas), "cublasCreate"));
    PBATCH_RETURN_IF_ERROR(check_blas(cublasLtCreate(&lt), "cublasLtCreate"));
    PBATCH_ASSIGN_OR_RETURN(workspace, DeviceBuffer::allocate(kWorkspace));
    return Status::ok();
  }
};

struct Numbers {
  int rows, cols;
  std::vector<signed char> weights, x;
};

// Rows that are multiplied on the host, in `y` of so many bytes an element.
template <class T, class ToInt>
Status check_rows(const Numbers& n, const DeviceBuffer& y, const ToInt& to_int) {
  std::vector<T> got(static_cast<std::size_t>(n.rows));
  PBATCH_RETURN_IF_ERROR(cuda::copy_to_host(got.data(), y.as<void>(),
                                            static_cast<std::int64_t>(got.size() * sizeof(T))));
  for (int row = 0; row < n.rows; row += 61) {
    int want = 0;
    for (int col = 0; col < n.cols; ++col) {
      want += n.weights[static_cast<std::size_t>(row) * static_cast<std::size_t>(n.cols) +
                        static_cast<std::size_t>(col)] *
              n.x[static_cast<std::size_t>(col)];
    }
    if (to_int(got[static_cast<std::size_t>(row)]) != want) {
      return {ErrorCode::internal, "a peer's product is wrong in row " + std::to_string(row)};
    }
  }
  return Status::ok();
}

template <class T>
Result<DeviceBuffer> as_numbers(const std::vector<signed char>& numbers) {
  std::vector<T> values(numbers.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(static_cast<float>(numbers[i]));
  return DeviceBuffer::copy_of(values.data(), static_cast<std::int64_t>(values.size() * sizeof(T)));
}

// Times work(weights, stream) hot and cold after one run whose result `check_y` accepts.
template <class T, class Work, class CheckY>
Status measure(const char* name, const Numbers& n, int batch, double bandwidth, JsonRows& rows,
               const Work& work, const CheckY& check_y) {
  std::vector<DeviceBuffer> weights;
  const auto bytes = static_cast<std::int64_t>(n.weights.size() * sizeof(T));
  for (int i = 0; i < cold_copies(bytes); ++i) {
    PBATCH_ASSIGN_OR_RETURN(DeviceBuffer copy, as_numbers<T>(n.weights));
    weights.push_back(std::move(copy));
  }
  PBATCH_RETURN_IF_ERROR(work(weights.back(), nullptr));
  PBATCH_RETURN_IF_ERROR(cuda::synchronize(nullptr));
  PBATCH_RETURN_IF_ERROR(check_y());
  for (const bool cold : {false, true}) {
    const std::size_t used = cold ? weights.size() : 1;
    PBATCH_ASSIGN_OR_RETURN(
        const Times times, time_graph(launches(static_cast<int>(used)), [&](int i, cudaStream_t s) {
          return work(weights[static_cast<std::size_t>(i) % used], s);
        }));
    rows.add(
        JsonRow()
            .add("what", name)
            .add("rows", static_cast<long long>(n.rows))
            .add("cols", static_cast<long long>(n.cols))
            .add("batch", static_cast<long long>(batch))
            .add("cold", static_cast<long long>(cold))
            .add("bytes", static_cast<long long>(bytes))
            .add("median_us", times.median)
            .add("least_us", times.least)
            .add("of_copy_bandwidth", static_cast<double>(bytes) / times.median * 1e6 / bandwidth));
  }
  return Status::ok();
}

template <class T>
Status measure_gemm(const char* name, cudaDataType_t type, cublasComputeType_t compute,
                    const Numbers& n, Library& library, double bandwidth, JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer x, as_numbers<T>(n.x));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer y, DeviceBuffer::zeros(n.rows * 4));
  const auto work = [&](const DeviceBuffer& weights, cudaStream_t stream) -> Status {
    const float one = 1, zero = 0;
    PBATCH_RETURN_IF_ERROR(check_blas(cublasSetStream(library.blas, stream), "cublasSetStream"));
    PBATCH_RETURN_IF_ERROR(check_blas(cublasSetWorkspace(library.blas, library.workspace.as<void>(),
                                                         static_cast<std::size_t>(kWorkspace)),
                                      "cublasSetWorkspace"));
    return check_blas(cublasGemmEx(library.blas, CUBLAS_OP_T, CUBLAS_OP_N, n.rows, 1, n.cols, &one,
                                   weights.as<void>(), type, n.cols, x.as<void>(), type, n.cols,
                                   &zero, y.as<void>(), type, n.rows, compute, CUBLAS_GEMM_DEFAULT),
                      "cublasGemmEx");
  };
  return measure<T>(name, n, 1, bandwidth, rows, work, [&] {
    return check_rows<T>(n, y, [](T v) { return static_cast<int>(static_cast<float>(v)); });
  });
}

Status measure_half_gemv(const Numbers& n, double bandwidth, JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer x, as_numbers<__half>(n.x));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer y, DeviceBuffer::zeros(n.rows * 4));
  const auto work = [&](const DeviceBuffer& weights, cudaStream_t stream) -> Status {
    return check(launch_half_gemv(weights.as<__half>(), x.as<__half>(), y.as<float>(), n.rows,
                                  n.cols, stream),
                 "half_gemv");
  };
  return measure<__half>("plain float16 gemv", n, 1, bandwidth, rows, work, [&] {
    return check_rows<float>(n, y, [](float v) { return static_cast<int>(v); });
  });
}

// Descriptions that cublasLtMatmul needs.
struct Int8Product {
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
  Status describe(const Library& library, int rows, int cols, int batch) {
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
    PBATCH_RETURN_IF_ERROR(
        check_blas(cublasLtMatmulAlgoGetHeuristic(library.lt, product, weights, x, y, y, preference,
                                                  1, &found, &count),
                   "cublasLtMatmulAlgoGetHeuristic"));
    if (count == 0) return {ErrorCode::unsupported, "cublasLt has no such product"};
    return Status::ok();
  }
};

Status measure_int8(const Numbers& n, const Library& library, double bandwidth, JsonRows& rows) {
  // The fewest vectors that it takes; the others are zeros.
  for (const int batch : {1, 4, 8, 16}) {
    Int8Product int8;
    const Status described = int8.describe(library, n.rows, n.cols, batch);
    if (!described.is_ok() && batch < 16) continue;
    PBATCH_RETURN_IF_ERROR(described);
    std::vector<signed char> vectors = n.x;
    vectors.resize(vectors.size() * static_cast<std::size_t>(batch));
    PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer x, as_numbers<signed char>(vectors));
    PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer y,
                            DeviceBuffer::zeros(std::int64_t{4} * n.rows * batch));
    const auto work = [&](const DeviceBuffer& weights, cudaStream_t stream) -> Status {
      const int one = 1, zero = 0;
      return check_blas(
          cublasLtMatmul(library.lt, int8.product, &one, weights.as<void>(), int8.weights,
                         x.as<void>(), int8.x, &zero, y.as<void>(), int8.y, y.as<void>(), int8.y,
                         &int8.found.algo, library.workspace.as<void>(),
                         static_cast<std::size_t>(kWorkspace), stream),
          "cublasLtMatmul");
    };
    return measure<signed char>("cublasLt int8", n, batch, bandwidth, rows, work,
                                [&] { return check_rows<int>(n, y, [](int v) { return v; }); });
  }
  return Status::ok();
}

Numbers random_numbers(int rows, int cols) {
  std::mt19937_64 rng(11);
  Numbers n{rows, cols, {}, {}};
  n.weights.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  n.x.resize(static_cast<std::size_t>(cols));
  for (auto* values : {&n.weights, &n.x}) {
    for (signed char& v : *values)
      v = static_cast<signed char>(static_cast<int>(rng() >> 40) % 3 - 1);
  }
  return n;
}

}  // namespace

Status measure_peers(double bandwidth, JsonRows& rows) {
  Library library;
  PBATCH_RETURN_IF_ERROR(library.open());
  for (const int size : {4096, 8192, 16384}) {
    const Numbers n = random_numbers(size, size);
    PBATCH_RETURN_IF_ERROR(measure_gemm<float>("cublas float32", CUDA_R_32F, CUBLAS_COMPUTE_32F, n,
                                               library, bandwidth, rows));
    PBATCH_RETURN_IF_ERROR(measure_gemm<float>(
        "cublas tf32", CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, n, library, bandwidth, rows));
    PBATCH_RETURN_IF_ERROR(measure_gemm<__half>("cublas float16", CUDA_R_16F, CUBLAS_COMPUTE_32F, n,
                                                library, bandwidth, rows));
    PBATCH_RETURN_IF_ERROR(measure_int8(n, library, bandwidth, rows));
    PBATCH_RETURN_IF_ERROR(measure_half_gemv(n, bandwidth, rows));
  }
  return Status::ok();
}

}  // namespace pbatch::bench
