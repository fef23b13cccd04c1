// The same matrix times vectors by cuBLAS in float32, TF32, float16 and int8, and by a plain
// float16 kernel. Weights and vectors are -1, 0 and 1, so that every result is exact and is
// checked.
#include <cuda_fp16.h>

#include <random>
#include <string>
#include <vector>

#include "bench/gpu/blas.h"
#include "bench/gpu/graph_timer.h"
#include "bench/gpu/half_gemv.h"
#include "bench/gpu/parts.h"
#include "bench/gpu/time_row.h"

namespace pbatch::bench {
namespace {

struct Numbers {
  int rows, cols, batch;
  std::vector<signed char> weights, x;  // [rows][cols], [batch][cols]
};

Numbers random_numbers(int rows, int cols, int batch) {
  std::mt19937_64 rng(11);
  Numbers n{rows, cols, batch, {}, {}};
  n.weights.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  n.x.resize(static_cast<std::size_t>(batch) * static_cast<std::size_t>(cols));
  for (auto* values : {&n.weights, &n.x}) {
    for (signed char& v : *values)
      v = static_cast<signed char>(static_cast<int>(rng() >> 40) % 3 - 1);
  }
  return n;
}

template <class T>
Result<DeviceBuffer> copy_as(const std::shared_ptr<cuda::Device>& device,
                             const std::vector<signed char>& numbers) {
  std::vector<T> values(numbers.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<T>(static_cast<float>(numbers[i]));
  }
  return DeviceBuffer::copy_of(device, values.data(),
                               static_cast<std::int64_t>(values.size() * sizeof(T)));
}

Result<DeviceBuffer> copy_of(const std::shared_ptr<cuda::Device>& device, PeerType type,
                             const std::vector<signed char>& numbers) {
  if (type == PeerType::int8) return copy_as<signed char>(device, numbers);
  if (type == PeerType::float16) return copy_as<__half>(device, numbers);
  return copy_as<float>(device, numbers);
}

// Some rows of some vectors, multiplied on the host; y [.. batch][rows].
template <class T>
Status check_results(cuda::Device& device, const Numbers& n, const DeviceBuffer& y) {
  std::vector<T> got(static_cast<std::size_t>(y.bytes()) / sizeof(T));
  PBATCH_RETURN_IF_ERROR(device.copy_to_host(got.data(), y.as<void>(), y.bytes()));
  for (int v = 0; v < n.batch; v += 5) {
    for (int row = 0; row < n.rows; row += 61) {
      int want = 0;
      for (int col = 0; col < n.cols; ++col) {
        want += n.weights[static_cast<std::size_t>(row) * static_cast<std::size_t>(n.cols) +
                          static_cast<std::size_t>(col)] *
                n.x[static_cast<std::size_t>(v) * static_cast<std::size_t>(n.cols) +
                    static_cast<std::size_t>(col)];
      }
      const T value = got[static_cast<std::size_t>(v) * static_cast<std::size_t>(n.rows) +
                          static_cast<std::size_t>(row)];
      if (static_cast<int>(static_cast<float>(value)) != want) {
        return {ErrorCode::internal, "a peer's product is wrong in row " + std::to_string(row)};
      }
    }
  }
  return Status::ok();
}

// Times work(weights, stream) hot and cold after one run whose result `check_y` accepts.
template <class Work, class CheckY>
Status measure(const char* name, PeerType type, const Numbers& n,
               const std::shared_ptr<cuda::Device>& device, double bandwidth, JsonRows& rows,
               const Work& work, const CheckY& check_y) {
  std::vector<DeviceBuffer> weights;
  const std::int64_t bytes = static_cast<std::int64_t>(n.weights.size()) * weight_size(type);
  for (int i = 0; i < cold_copies(bytes); ++i) {
    PBATCH_ASSIGN_OR_RETURN(DeviceBuffer copy, copy_of(device, type, n.weights));
    weights.push_back(std::move(copy));
  }
  PBATCH_RETURN_IF_ERROR(work(weights.back(), nullptr));
  PBATCH_RETURN_IF_ERROR(device->synchronize(nullptr));
  PBATCH_RETURN_IF_ERROR(check_y());
  for (const bool cold : {false, true}) {
    const std::size_t used = cold ? weights.size() : 1;
    PBATCH_ASSIGN_OR_RETURN(
        const Times times, time_graph(launches(static_cast<int>(used)), [&](int i, cudaStream_t s) {
          return work(weights[static_cast<std::size_t>(i) % used], s);
        }));
    JsonRow row;
    row.add("what", name)
        .add("rows", static_cast<long long>(n.rows))
        .add("cols", static_cast<long long>(n.cols))
        .add("batch", static_cast<long long>(n.batch));
    rows.add(add_times(row, cold, bytes, times, bandwidth));
  }
  return Status::ok();
}

Status measure_cublas(PeerType type, const Numbers& n, Blas& blas,
                      const std::shared_ptr<cuda::Device>& device, double bandwidth,
                      JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const int batch, blas.batch_for(type, n.rows, n.cols, n.batch));
  std::vector<signed char> vectors = n.x;
  vectors.resize(static_cast<std::size_t>(batch) * static_cast<std::size_t>(n.cols));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer x, copy_of(device, type, vectors));
  PBATCH_ASSIGN_OR_RETURN(
      const DeviceBuffer y,
      DeviceBuffer::zeros(device, result_size(type) * n.rows * std::int64_t{batch}));
  const auto work = [&](const DeviceBuffer& weights, cudaStream_t stream) {
    return blas.multiply(type, weights.as<void>(), x.as<void>(), y.as<void>(), n.rows, n.cols,
                         batch, stream);
  };
  return measure(peer_name(type), type, n, device, bandwidth, rows, work, [&] {
    if (type == PeerType::int8) return check_results<int>(*device, n, y);
    if (type == PeerType::float16) return check_results<__half>(*device, n, y);
    return check_results<float>(*device, n, y);
  });
}

Status measure_half_gemv(const Numbers& n, const std::shared_ptr<cuda::Device>& device,
                         double bandwidth, JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer x, copy_as<__half>(device, n.x));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer y, DeviceBuffer::zeros(device, n.rows * 4));
  const auto work = [&](const DeviceBuffer& weights, cudaStream_t stream) {
    return check(launch_half_gemv(weights.as<__half>(), x.as<__half>(), y.as<float>(), n.rows,
                                  n.cols, stream),
                 "half_gemv");
  };
  return measure("plain float16 gemv", PeerType::float16, n, device, bandwidth, rows, work,
                 [&] { return check_results<float>(*device, n, y); });
}

}  // namespace

Status measure_peers(const std::shared_ptr<cuda::Device>& device, double bandwidth,
                     JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const std::unique_ptr<Blas> blas, Blas::open(device));
  for (const int size : {4096, 8192, 16384}) {
    const Numbers n = random_numbers(size, size, 1);
    for (const PeerType type :
         {PeerType::float32, PeerType::tf32, PeerType::float16, PeerType::int8}) {
      PBATCH_RETURN_IF_ERROR(measure_cublas(type, n, *blas, device, bandwidth, rows));
    }
    PBATCH_RETURN_IF_ERROR(measure_half_gemv(n, device, bandwidth, rows));
  }
  for (const int batch : {16, 64, 256}) {
    const Numbers n = random_numbers(4096, 4096, batch);
    for (const PeerType type : {PeerType::float16, PeerType::int8}) {
      PBATCH_RETURN_IF_ERROR(measure_cublas(type, n, *blas, device, bandwidth, rows));
    }
  }
  return Status::ok();
}

}  // namespace pbatch::bench
