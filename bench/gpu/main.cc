// pbatch_gpu_bench check [--seconds S] | measure [--json FILE]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/gpu/graph_timer.h"
#include "bench/gpu/parts.h"
#include "cuda/device.h"

namespace pbatch::bench {
namespace {

int fail(const Status& status) {
  std::fprintf(stderr, "pbatch_gpu_bench: %s\n", status.to_line().c_str());
  return 1;
}

Status measure(const std::shared_ptr<cuda::Device>& device, JsonRows& rows) {
  cudaDeviceProp properties = {};
  PBATCH_RETURN_IF_ERROR(check(cudaGetDeviceProperties(&properties, 0), "properties"));
  int driver = 0;
  PBATCH_RETURN_IF_ERROR(check(cudaDriverGetVersion(&driver), "driver"));
  rows.add(JsonRow()
               .add("what", "device")
               .add("name", device->name())
               .add("capability", static_cast<long long>(device->limits().capability))
               .add("processors", static_cast<long long>(device->limits().processors))
               .add("l2_bytes", static_cast<long long>(properties.l2CacheSize))
               .add("driver", static_cast<long long>(driver))
               .add("cuda", static_cast<long long>(CUDART_VERSION)));
  PBATCH_ASSIGN_OR_RETURN(const double bandwidth, copy_bandwidth(device, rows));
  PBATCH_RETURN_IF_ERROR(measure_networks(device, rows));
  PBATCH_RETURN_IF_ERROR(measure_products(device, bandwidth, rows));
  PBATCH_RETURN_IF_ERROR(measure_peers(device, bandwidth, rows));
  add_targets(rows);
  return Status::ok();
}

Status check_all(const std::shared_ptr<cuda::Device>& device, double seconds) {
  PBATCH_ASSIGN_OR_RETURN(const int kernels, check_kernels(device));
  std::printf("%d kernels and networks agree with the emulated device\n", kernels);
  PBATCH_ASSIGN_OR_RETURN(const int products, check_products(device, seconds));
  std::printf("%d products have the bits of the CPU's reference\n", products);
  return Status::ok();
}

int run(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  const char* const value = argc == 4 ? argv[3] : nullptr;
  const bool is_check = command == "check" && (argc == 2 || std::strcmp(argv[2], "--seconds") == 0);
  const bool is_measure =
      command == "measure" && (argc == 2 || std::strcmp(argv[2], "--json") == 0);
  if ((!is_check && !is_measure) || argc == 3 || argc > 4) {
    std::fprintf(stderr, "usage: pbatch_gpu_bench check [--seconds S] | measure [--json FILE]\n");
    return 2;
  }
  const Result<std::shared_ptr<cuda::Device>> device = cuda::open_device(0);
  if (!device.is_ok()) return fail(device.status());
  if (is_check) {
    const Status agreed = check_all(*device, value != nullptr ? std::atof(value) : 10.0);
    return agreed.is_ok() ? 0 : fail(agreed);
  }
  JsonRows rows;
  const Status status = measure(*device, rows);
  if (value != nullptr && !rows.write(value)) {
    return fail({ErrorCode::io, std::string("cannot write ") + value});
  }
  return status.is_ok() ? 0 : fail(status);
}

}  // namespace
}  // namespace pbatch::bench

int main(int argc, char** argv) { return pbatch::bench::run(argc, argv); }
