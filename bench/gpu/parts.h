// The parts of the benchmark. Each checks what it measures first.
#pragma once

#include <cstdint>
#include <memory>

#include "bench/gpu/json_rows.h"
#include "cuda/device.h"
#include "pbatch/status.h"

namespace pbatch::bench {

/// Random layers, at least one of every width and method, then for as many seconds, against the
/// CPU's reference; the first difference is an error. Returns how many agreed.
Result<int> check_products(const std::shared_ptr<cuda::Device>& device, double seconds);
/// The other kernels, and recorded networks, against the emulated device.
Result<int> check_kernels(const std::shared_ptr<cuda::Device>& device);

/// Bytes a second, read and written, of a copy within the device's memory.
Result<double> copy_bandwidth(const std::shared_ptr<cuda::Device>& device, JsonRows& rows);

/// Our kernels: one vector at all widths with 8 and 16 activation bits, and batches; `bandwidth` is
/// that of copies.
Status measure_products(const std::shared_ptr<cuda::Device>& device, double bandwidth,
                        JsonRows& rows);

/// cuBLAS with float32, TF32, float16 and int8, and the plain float16 kernel.
Status measure_peers(const std::shared_ptr<cuda::Device>& device, double bandwidth, JsonRows& rows);

/// Whole networks, ours and theirs.
Status measure_networks(const std::shared_ptr<cuda::Device>& device, JsonRows& rows);

/// What the rows say of what an H100 must reach: a row for each target, "wanted", "measured" and
/// "met". What was not measured is left out.
void add_targets(JsonRows& rows);

/// Enough copies of a matrix of so many bytes that cycling through them finds none in the L2 cache.
inline int cold_copies(std::int64_t bytes) {
  return static_cast<int>((std::int64_t{256} << 20) / bytes) + 1;
}
/// Pieces of work in a graph.
inline int launches(int copies) { return copies > 40 ? copies : 40 / copies * copies; }

}  // namespace pbatch::bench
