// Whole networks at batch 1 and 8, each as one CUDA graph: ours at several widths beside cuBLAS and
// plain float16 kernels.
#include <bit>
#include <cmath>
#include <functional>
#include <string>

#include "bench/gpu/bit_networks.h"
#include "bench/gpu/graph_timer.h"
#include "bench/gpu/parts.h"
#include "bench/gpu/peer_networks.h"
#include "tests/cuda/emulated_device.h"

namespace pbatch::bench {
namespace {

using SharedDevice = std::shared_ptr<cuda::Device>;

struct NetworkCase {
  const char* name;
  std::function<Result<std::unique_ptr<BitNetwork>>(const SharedDevice&, const NetworkPrecision&,
                                                    int batch)>
      ours;
  std::function<Result<std::unique_ptr<PeerNetwork>>(const SharedDevice&, Blas&, const PeerKind&,
                                                     int batch)>
      peer;
};

NetworkCase mlp_case() {
  return {"mnist 784-4096-4096-10",
          [](const SharedDevice& device, const NetworkPrecision& precision, int batch) {
            return make_bit_mlp(device, {784, 4096, 4096, 10}, precision, batch);
          },
          // 16 rows at the end: cuBLAS's int8 takes no 10.
          [](const SharedDevice& device, Blas& blas, const PeerKind& kind, int batch) {
            return make_peer_mlp(device, blas, kind, {784, 4096, 4096, 16}, batch);
          }};
}

template <int kSteps>
NetworkCase lstm_case(const char* name) {
  return {name,
          [](const SharedDevice& device, const NetworkPrecision& precision, int batch) {
            return make_bit_lstm(device, 2048, kSteps, precision, batch);
          },
          [](const SharedDevice& device, Blas& blas, const PeerKind& kind, int batch) {
            return make_peer_lstm(device, blas, kind, 2048, kSteps, batch);
          }};
}

Status add_row(const NetworkCase& network, const char* how, int weight_bits, int activation_bits,
               int batch, const std::function<Status(cudaStream_t)>& queue, JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const Times times,
                          time_graph(1, [&](int, cudaStream_t s) { return queue(s); }));
  rows.add(JsonRow()
               .add("what", "end to end")
               .add("network", network.name)
               .add("by", how)
               .add("weight_bits", static_cast<long long>(weight_bits))
               .add("activation_bits", static_cast<long long>(activation_bits))
               .add("batch", static_cast<long long>(batch))
               .add("median_us", times.median)
               .add("least_us", times.least)
               .add("vectors_per_second", batch / times.median * 1e6));
  return Status::ok();
}

// The device's outputs against the emulated one's, bit by bit.
Status check_ours(const NetworkCase& network, const BitNetwork& there,
                  const NetworkPrecision& precision, int batch) {
  const auto emulated = std::make_shared<testing::EmulatedDevice>();
  PBATCH_ASSIGN_OR_RETURN(const auto here, network.ours(emulated, precision, batch));
  PBATCH_RETURN_IF_ERROR(here->queue(nullptr));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> want, here->outputs());
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> got, there.outputs());
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(got[i]) == std::bit_cast<std::uint32_t>(want[i])) continue;
    return {ErrorCode::internal, std::string(network.name) + " differs from the emulation at " +
                                     std::to_string(i) + ": no time is worth telling"};
  }
  return Status::ok();
}

Status measure_ours(const NetworkCase& network, const SharedDevice& device,
                    const NetworkPrecision& precision, int batch, bool checks, JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const auto there, network.ours(device, precision, batch));
  PBATCH_RETURN_IF_ERROR(there->queue(nullptr));
  PBATCH_RETURN_IF_ERROR(device->synchronize(nullptr));
  if (checks) PBATCH_RETURN_IF_ERROR(check_ours(network, *there, precision, batch));
  return add_row(
      network, "pbatch", precision.weight_bits, precision.activation_bits, batch,
      [&](cudaStream_t s) { return there->queue(stream_of(s)); }, rows);
}

double relative_error(const std::vector<float>& got, const std::vector<float>& want) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - want[i], 2);
    size += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(error / size);
}

Status measure_peer(const NetworkCase& network, const SharedDevice& device, Blas& blas,
                    const PeerKind& kind, int batch, JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const auto peer, network.peer(device, blas, kind, batch));
  PBATCH_RETURN_IF_ERROR(peer->queue(nullptr));
  PBATCH_RETURN_IF_ERROR(device->synchronize(nullptr));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> got, peer->outputs());
  const double error = relative_error(got, peer->expected());
  const double allowed = kind.type == PeerType::int8 && !kind.plain_gemv ? 0.2 : 0.02;
  if (!(error <= allowed)) {
    return {ErrorCode::internal, std::string(kind.name()) + " is wrong on " + network.name +
                                     ": relative error " + std::to_string(error)};
  }
  const int bits = kind.plain_gemv ? 16 : static_cast<int>(8 * weight_size(kind.type));
  return add_row(
      network, kind.name(), bits, bits, batch, [&](cudaStream_t s) { return peer->queue(s); },
      rows);
}

}  // namespace

Status measure_networks(const SharedDevice& device, JsonRows& rows) {
  PBATCH_ASSIGN_OR_RETURN(const std::unique_ptr<Blas> blas, Blas::open(device));
  for (const NetworkCase& network :
       {mlp_case(), lstm_case<1>("lstm 2048, 1 step"), lstm_case<32>("lstm 2048, 32 steps")}) {
    const bool one_step = std::string(network.name).find("32") == std::string::npos;
    for (const int batch : {1, 8}) {
      for (const auto& [weight_bits, activation_bits] :
           {std::pair{1, 8}, {2, 8}, {4, 8}, {4, 16}, {8, 8}, {8, 16}}) {
        // Emulating takes a second for some million weights.
        const bool checks = one_step && batch == 1 && weight_bits <= 4;
        PBATCH_RETURN_IF_ERROR(
            measure_ours(network, device, {weight_bits, activation_bits}, batch, checks, rows));
      }
      for (const PeerType type :
           {PeerType::float32, PeerType::tf32, PeerType::float16, PeerType::int8}) {
        PBATCH_RETURN_IF_ERROR(measure_peer(network, device, *blas, {type, false}, batch, rows));
      }
      if (batch == 1) {
        PBATCH_RETURN_IF_ERROR(
            measure_peer(network, device, *blas, {PeerType::float16, true}, batch, rows));
      }
    }
  }
  return Status::ok();
}

}  // namespace pbatch::bench
