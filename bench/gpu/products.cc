#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bench/gpu/graph_timer.h"
#include "bench/gpu/parts.h"
#include "bench/gpu/random_weights.h"
#include "bench/gpu/time_row.h"
#include "cuda/product.h"
#include "kernel/epilogue.h"
#include "kernel/registry.h"

namespace pbatch::bench {
namespace {

using cuda::Matrix;
using cuda::Product;

// 16 rows of y by the CPU's reference. x [cols].
std::vector<float> expected(const RandomWeights& w, const float* x, int weight_bits,
                            int activation_bits, std::int64_t row_block) {
  struct alignas(64) Line {
    std::uint8_t bytes[64];
  };
  std::vector<Line> q(static_cast<std::size_t>(2 * col_blocks(w.cols)));
  std::vector<std::int32_t> run_sums(static_cast<std::size_t>(2 * w.runs()));
  EpilogueArgs end = {};
  (void)quantizer_for(Isa::generic)
      .run(x, w.cols, col_blocks(w.cols), kRunBlocks, activation_bits, kActivationNumbers,
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
  epilogue_for(Isa::generic)
      .run(&end, row_block * kBlockRows, (row_block + 1) * kBlockRows, y.data());
  return {y.begin() + row_block * kBlockRows, y.begin() + (row_block + 1) * kBlockRows};
}

struct Case {
  const RandomWeights& weights;
  const std::vector<Matrix>& matrices;  // equal ones
  const std::vector<float>& x;          // [batch][cols]
  const DeviceBuffer& x_there;
  const DeviceBuffer& y;
  int weight_bits, activation_bits, batch;
  cuda::Method method;
};

const char* method_name(cuda::Method method) {
  switch (method) {
    case cuda::Method::bits:
      return "bits";
    case cuda::Method::bytes:
      return "bytes";
    default:
      return "gemm";
  }
}

Status run_once(const Case& c, const Product& product, bool quantizes, Stream stream) {
  if (quantizes) {
    PBATCH_RETURN_IF_ERROR(product.quantize(c.x_there.as<float>(), c.weights.cols, stream));
  }
  return product.multiply({c.y.as<float>(), c.weights.rows, nullptr}, stream);
}

Status check_rows(const Case& c, const Product& product, cuda::Device& device) {
  PBATCH_RETURN_IF_ERROR(device.clear(c.y.as<void>(), c.y.bytes(), nullptr));
  PBATCH_RETURN_IF_ERROR(run_once(c, product, true, nullptr));
  PBATCH_RETURN_IF_ERROR(device.synchronize(nullptr));
  std::vector<float> y(static_cast<std::size_t>(c.batch * c.weights.rows));
  PBATCH_RETURN_IF_ERROR(
      device.copy_to_host(y.data(), c.y.as<void>(), static_cast<std::int64_t>(y.size()) * 4));
  const std::int64_t last = row_blocks(c.weights.rows) - 1;
  for (const int vector : {0, c.batch - 1}) {
    for (const std::int64_t rb : {std::int64_t{0}, last / 3, last}) {
      const std::vector<float> want = expected(c.weights, c.x.data() + vector * c.weights.cols,
                                               c.weight_bits, c.activation_bits, rb);
      for (std::size_t r = 0; r < want.size(); ++r) {
        const float got =
            y[static_cast<std::size_t>(vector * c.weights.rows + rb * kBlockRows) + r];
        if (std::bit_cast<std::uint32_t>(got) != std::bit_cast<std::uint32_t>(want[r])) {
          return {ErrorCode::internal, "a large product differs from the reference in row block " +
                                           std::to_string(rb) + ": no time is worth telling"};
        }
      }
    }
  }
  return Status::ok();
}

Status measure_case(const Case& c, cuda::Device& device, const DeviceBuffer& flag, double bandwidth,
                    JsonRows& rows) {
  const RandomWeights& w = c.weights;
  const std::int64_t bytes =
      plane_bytes(w.rows, w.cols) * c.weight_bits + static_cast<std::int64_t>(w.scales.size());
  const int copies = std::min(cold_copies(bytes), static_cast<int>(c.matrices.size()));
  std::vector<Product> products;
  for (int i = 0; i < copies; ++i) {
    PBATCH_ASSIGN_OR_RETURN(Product product,
                            Product::create(c.matrices[static_cast<std::size_t>(i)],
                                            {c.weight_bits, c.activation_bits, c.batch}, c.method,
                                            flag.as<std::uint32_t>()));
    products.push_back(std::move(product));
  }
  for (const Product& product : products) {
    PBATCH_RETURN_IF_ERROR(product.quantize(c.x_there.as<float>(), w.cols, nullptr));
  }
  PBATCH_RETURN_IF_ERROR(check_rows(c, products.front(), device));
  if (copies > 1) PBATCH_RETURN_IF_ERROR(check_rows(c, products.back(), device));
  for (const bool cold : {false, true}) {
    const int used = cold ? copies : 1;
    for (const bool whole : {false, true}) {
      PBATCH_ASSIGN_OR_RETURN(
          const Times times, time_graph(launches(used), [&](int i, cudaStream_t s) {
            return run_once(c, products[static_cast<std::size_t>(i % used)], whole, stream_of(s));
          }));
      JsonRow row;
      row.add("what", whole ? "quantize and multiply" : "multiply")
          .add("method", method_name(c.method))
          .add("rows", static_cast<long long>(w.rows))
          .add("cols", static_cast<long long>(w.cols))
          .add("weight_bits", static_cast<long long>(c.weight_bits))
          .add("activation_bits", static_cast<long long>(c.activation_bits))
          .add("batch", static_cast<long long>(c.batch));
      rows.add(add_times(row, cold, bytes, times, bandwidth));
    }
  }
  return Status::ok();
}

// What is measured of one matrix.
struct Plan {
  int weight_bits, activation_bits, batch;
  cuda::Method method;
};

Status measure_shape(std::int64_t rows, std::int64_t cols, int bits, const std::vector<Plan>& plans,
                     const std::shared_ptr<cuda::Device>& device, double bandwidth, JsonRows& out) {
  int most = 1;
  for (const Plan& plan : plans) most = std::max(most, plan.batch);
  const RandomWeights weights = random_weights(rows, cols, bits);
  const std::vector<float> x = random_vectors(most * cols, 9);
  std::vector<Matrix> matrices;
  for (int i = 0; i < cold_copies(plane_bytes(rows, cols)); ++i) {
    PBATCH_ASSIGN_OR_RETURN(Matrix matrix, upload(device, weights));
    matrices.push_back(std::move(matrix));
  }
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer there,
                          DeviceBuffer::copy_of(device, x.data(), most * cols * 4));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer y, DeviceBuffer::zeros(device, most * rows * 4));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer flag, DeviceBuffer::zeros(device, 4));
  for (const Plan& p : plans) {
    PBATCH_RETURN_IF_ERROR(measure_case(
        {weights, matrices, x, there, y, p.weight_bits, p.activation_bits, p.batch, p.method},
        *device, flag, bandwidth, out));
  }
  return Status::ok();
}

// One vector at every width, by every method.
std::vector<Plan> plans_for_one_vector(int bits, const cuda::DeviceLimits& limits) {
  std::vector<Plan> plans;
  for (int weight_bits = 1; weight_bits <= bits; ++weight_bits) {
    for (const int activation_bits : {8, 16}) {
      for (const cuda::Method method : {cuda::Method::bits, cuda::Method::bytes}) {
        if (method == cuda::Method::bits && !cuda::has_bit_unit(limits)) continue;
        plans.push_back({weight_bits, activation_bits, 1, method});
      }
    }
  }
  return plans;
}

}  // namespace

Result<double> copy_bandwidth(const std::shared_ptr<cuda::Device>& device, JsonRows& rows) {
  const std::int64_t bytes = std::int64_t{1} << 30;
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer from, DeviceBuffer::zeros(device, bytes));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer to, DeviceBuffer::zeros(device, bytes));
  PBATCH_ASSIGN_OR_RETURN(const Times times, time_graph(4, [&](int, cudaStream_t stream) {
                            return device->copy(to.as<void>(), from.as<void>(), bytes,
                                                stream_of(stream));
                          }));
  const double rate = 2 * static_cast<double>(bytes) / times.median * 1e6;
  rows.add(
      JsonRow().add("what", "copy").add("median_us", times.median).add("bytes_per_second", rate));
  return rate;
}

Status measure_products(const std::shared_ptr<cuda::Device>& device, double bandwidth,
                        JsonRows& rows) {
  std::vector<Plan> several = plans_for_one_vector(8, device->limits());
  for (const int batch : {8, 16, 64, 256}) {
    for (const auto& [weight_bits, activation_bits] :
         {std::pair<int, int>{4, 8}, {4, 16}, {8, 8}}) {
      several.push_back(
          {weight_bits, activation_bits, batch,
           cuda::choose_method({4096, 4096, kRunBlocks, weight_bits, activation_bits, batch},
                               device->limits())});
    }
  }
  PBATCH_RETURN_IF_ERROR(measure_shape(4096, 4096, 8, several, device, bandwidth, rows));
  const std::vector<Plan> one = plans_for_one_vector(8, device->limits());
  PBATCH_RETURN_IF_ERROR(measure_shape(8192, 8192, 8, one, device, bandwidth, rows));
  PBATCH_RETURN_IF_ERROR(measure_shape(16384, 16384, 8, one, device, bandwidth, rows));
  return measure_shape(16384, 32768, 1, plans_for_one_vector(1, device->limits()), device,
                       bandwidth, rows);
}

}  // namespace pbatch::bench
