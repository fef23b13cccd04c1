#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bench/gpu/graph_timer.h"
#include "bench/gpu/parts.h"
#include "cuda/device_product.h"
#include "kernel/epilogue.h"
#include "kernel/registry.h"

namespace pbatch::bench {
namespace {

using cuda::DeviceBuffer;
using cuda::DeviceMatrix;
using cuda::DeviceProduct;

constexpr int kRunBlocks = 2;  // groups of 64, the default

// A matrix of random planes; only the row blocks that are checked are ever multiplied on the host.
struct Weights {
  std::int64_t rows, cols;
  int bits;
  std::vector<std::vector<std::uint8_t>> planes;
  std::vector<std::uint8_t> scales;
  std::vector<float> row_scale, x;

  std::int64_t runs() const { return (col_blocks(cols) + kRunBlocks - 1) / kRunBlocks; }
};

Weights random_weights(std::int64_t rows, std::int64_t cols, int bits) {
  std::mt19937_64 rng(7);
  Weights w{rows, cols, bits, {}, {}, {}, {}};
  for (int i = 0; i < bits; ++i) {
    auto& plane = w.planes.emplace_back(static_cast<std::size_t>(plane_bytes(rows, cols)));
    for (std::size_t at = 0; at < plane.size(); at += 8) {
      const std::uint64_t eight = rng();
      std::memcpy(plane.data() + at, &eight, 8);
    }
  }
  w.scales.resize(static_cast<std::size_t>(row_blocks(rows) * w.runs() * kBlockRows));
  for (auto& scale : w.scales) scale = static_cast<std::uint8_t>(rng());
  std::normal_distribution<float> normal;
  for (std::int64_t r = 0; r < rows; ++r) w.row_scale.push_back(1e-3f);
  for (std::int64_t c = 0; c < cols; ++c) w.x.push_back(normal(rng));
  return w;
}

Result<DeviceMatrix> upload(const Weights& w) {
  std::vector<const std::uint8_t*> planes;
  for (const auto& plane : w.planes) planes.push_back(plane.data());
  PBATCH_ASSIGN_OR_RETURN(DeviceMatrix matrix, DeviceMatrix::upload(w.rows, w.cols, kRunBlocks,
                                                                    planes, w.row_scale.data()));
  for (int bits = 1; bits <= w.bits; ++bits) {
    PBATCH_RETURN_IF_ERROR(matrix.add_scales(bits, w.scales.data()));
  }
  return matrix;
}

// 16 rows of y by the CPU's reference.
std::vector<float> expected(const Weights& w, int weight_bits, int activation_bits,
                            std::int64_t row_block) {
  struct alignas(64) Line {
    std::uint8_t bytes[64];
  };
  std::vector<Line> q(static_cast<std::size_t>(2 * col_blocks(w.cols)));
  std::vector<std::int32_t> run_sums(static_cast<std::size_t>(2 * w.runs()));
  EpilogueArgs end = {};
  (void)quantizer_for(Isa::generic)
      .run(w.x.data(), w.cols, col_blocks(w.cols), kRunBlocks, activation_bits, kActivationNumbers,
           q.front().bytes, run_sums.data(), &end.activation_scale);
  BitKernelArgs args = {};
  for (int i = 0; i < weight_bits; ++i)
    args.planes[i] = w.planes[static_cast<std::size_t>(i)].data();
  args.n_planes = weight_bits;
  args.col_blocks = col_blocks(w.cols);
  args.run_blocks = kRunBlocks;
  args.scales = w.scales.data();
  args.activation_bits = activation_bits;
  args.activations = q.front().bytes;
  args.run_sums = run_sums.data();
  args.batch = 1;
  std::vector<float> acc(static_cast<std::size_t>(row_blocks(w.rows) * kBlockRows));
  args.acc = acc.data();
  args.acc_stride = static_cast<std::int64_t>(acc.size());
  find_kernel("reference")->run(&args, row_block, row_block + 1);
  end.acc[0] = acc.data();
  end.acc_stride = args.acc_stride;
  end.weight_bits = weight_bits;
  end.activation_bits = activation_bits;
  end.row_scale = w.row_scale.data();
  std::vector<float> y(acc.size());
  epilogue(end, row_block * kBlockRows, (row_block + 1) * kBlockRows, y.data());
  return {y.begin() + row_block * kBlockRows, y.begin() + (row_block + 1) * kBlockRows};
}

struct Case {
  const Weights& weights;
  const std::vector<DeviceMatrix>& matrices;  // equal ones
  const DeviceBuffer& x;
  const DeviceBuffer& y;
  int weight_bits, activation_bits;
  cuda::Method method;
};

Status check_rows(const Case& c, DeviceProduct& product) {
  PBATCH_RETURN_IF_ERROR(cuda::clear(c.y.as<void>(), c.y.bytes(), nullptr));
  PBATCH_RETURN_IF_ERROR(product.quantize(c.x.as<float>(), c.weights.cols, 1, nullptr));
  PBATCH_RETURN_IF_ERROR(product.multiply({c.y.as<float>(), c.weights.rows, nullptr}, 1, nullptr));
  PBATCH_RETURN_IF_ERROR(product.finish(nullptr));
  std::vector<float> y(static_cast<std::size_t>(c.weights.rows));
  PBATCH_RETURN_IF_ERROR(cuda::copy_to_host(y.data(), c.y.as<void>(), c.y.bytes()));
  const std::int64_t last = row_blocks(c.weights.rows) - 1;
  for (const std::int64_t rb : {std::int64_t{0}, last / 3, last}) {
    const std::vector<float> want = expected(c.weights, c.weight_bits, c.activation_bits, rb);
    for (std::size_t r = 0; r < want.size(); ++r) {
      const float got = y[static_cast<std::size_t>(rb * kBlockRows) + r];
      if (std::bit_cast<std::uint32_t>(got) != std::bit_cast<std::uint32_t>(want[r])) {
        return {ErrorCode::internal, "a large product differs from the reference in row block " +
                                         std::to_string(rb) + ": no time is worth telling"};
      }
    }
  }
  return Status::ok();
}

Status measure_case(const Case& c, const cuda::DeviceLimits& device, double bandwidth,
                    JsonRows& rows) {
  const Weights& w = c.weights;
  const std::int64_t bytes =
      plane_bytes(w.rows, w.cols) * c.weight_bits + static_cast<std::int64_t>(w.scales.size());
  const int copies = std::min(cold_copies(bytes), static_cast<int>(c.matrices.size()));
  std::vector<DeviceProduct> products;
  for (int i = 0; i < copies; ++i) {
    PBATCH_ASSIGN_OR_RETURN(
        DeviceProduct product,
        DeviceProduct::create(c.matrices[static_cast<std::size_t>(i)], c.weight_bits,
                              c.activation_bits, 1, c.method, device));
    products.push_back(std::move(product));
  }
  for (DeviceProduct& product : products) {
    PBATCH_RETURN_IF_ERROR(product.quantize(c.x.as<float>(), w.cols, 1, nullptr));
  }
  PBATCH_RETURN_IF_ERROR(check_rows(c, products.front()));
  if (copies > 1) PBATCH_RETURN_IF_ERROR(check_rows(c, products.back()));
  for (const bool cold : {false, true}) {
    const int used = cold ? copies : 1;
    for (const bool whole : {false, true}) {
      PBATCH_ASSIGN_OR_RETURN(
          const Times times, time_graph(launches(used), [&](int i, cudaStream_t s) {
            DeviceProduct& product = products[static_cast<std::size_t>(i % used)];
            if (whole) {
              PBATCH_RETURN_IF_ERROR(product.quantize(c.x.as<float>(), w.cols, 1, s));
            }
            return product.multiply({c.y.as<float>(), w.rows, nullptr}, 1, s);
          }));
      const double rate = static_cast<double>(bytes) / times.median * 1e6;
      rows.add(JsonRow()
                   .add("what", whole ? "quantize and multiply" : "multiply")
                   .add("method", c.method == cuda::Method::bits ? "bits" : "bytes")
                   .add("rows", static_cast<long long>(w.rows))
                   .add("cols", static_cast<long long>(w.cols))
                   .add("weight_bits", static_cast<long long>(c.weight_bits))
                   .add("activation_bits", static_cast<long long>(c.activation_bits))
                   .add("cold", static_cast<long long>(cold))
                   .add("bytes", static_cast<long long>(bytes))
                   .add("median_us", times.median)
                   .add("least_us", times.least)
                   .add("of_copy_bandwidth", rate / bandwidth));
    }
  }
  return Status::ok();
}

Status measure_shape(std::int64_t rows, std::int64_t cols, int bits,
                     const cuda::DeviceLimits& device, double bandwidth, JsonRows& out) {
  const Weights weights = random_weights(rows, cols, bits);
  std::vector<DeviceMatrix> matrices;
  for (int i = 0; i < cold_copies(plane_bytes(rows, cols)); ++i) {
    PBATCH_ASSIGN_OR_RETURN(DeviceMatrix matrix, upload(weights));
    matrices.push_back(std::move(matrix));
  }
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer x, DeviceBuffer::copy_of(weights.x.data(), cols * 4));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer y, DeviceBuffer::zeros(rows * 4));
  for (int weight_bits = 1; weight_bits <= bits; ++weight_bits) {
    for (const int activation_bits : {8, 16}) {
      for (const cuda::Method method : {cuda::Method::bits, cuda::Method::bytes}) {
        if (method == cuda::Method::bits && cuda::choose_method(device) != method) continue;
        PBATCH_RETURN_IF_ERROR(
            measure_case({weights, matrices, x, y, weight_bits, activation_bits, method}, device,
                         bandwidth, out));
      }
    }
  }
  return Status::ok();
}

}  // namespace

Result<double> copy_bandwidth(JsonRows& rows) {
  const std::int64_t bytes = std::int64_t{1} << 30;
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer from, DeviceBuffer::zeros(bytes));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer to, DeviceBuffer::zeros(bytes));
  PBATCH_ASSIGN_OR_RETURN(const Times times, time_graph(4, [&](int, cudaStream_t stream) {
                            return check(cudaMemcpyAsync(to.as<void>(), from.as<void>(),
                                                         static_cast<std::size_t>(bytes),
                                                         cudaMemcpyDeviceToDevice, stream),
                                         "copy");
                          }));
  const double rate = 2 * static_cast<double>(bytes) / times.median * 1e6;
  rows.add(
      JsonRow().add("what", "copy").add("median_us", times.median).add("bytes_per_second", rate));
  return rate;
}

Status measure_products(const cuda::DeviceLimits& device, double bandwidth, JsonRows& rows) {
  PBATCH_RETURN_IF_ERROR(measure_shape(4096, 4096, 8, device, bandwidth, rows));
  PBATCH_RETURN_IF_ERROR(measure_shape(8192, 8192, 8, device, bandwidth, rows));
  PBATCH_RETURN_IF_ERROR(measure_shape(16384, 16384, 8, device, bandwidth, rows));
  return measure_shape(16384, 32768, 1, device, bandwidth, rows);
}

}  // namespace pbatch::bench
