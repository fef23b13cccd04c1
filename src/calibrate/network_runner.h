// A network whose products are watched.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/buffer_pool.h"
#include "base/thread_pool.h"
#include "graph/graph.h"
#include "pbatch/network.h"
#include "product/input_observer.h"
#include "run/program.h"

namespace pbatch {

/// Runs a network of bit-layers with 16-bit activations and, unless told otherwise, 16 planes: near
/// the float network, and with products whose bits are the same on every machine. For one thread.
class NetworkRunner {
 public:
  /// `pool` must outlive it.
  static Result<NetworkRunner> create(Graph graph, ThreadPool& pool, int weight_bits = 16);

  const Graph& graph() const { return program_->graph(); }
  /// Those that must be fed, and all outputs.
  const std::vector<PortInfo>& inputs() const { return inputs_; }
  const std::vector<PortInfo>& outputs() const { return outputs_; }

  /// Told of all products from now on; null: nobody.
  void watch(InputObserver* observer) { observer_ = observer; }
  /// What runs that are watched are fed from now on: of all of them at equal distances, `most` or
  /// more and fewer than twice as many once there are so many. `sets` must outlive the runs.
  void record(std::vector<std::vector<NamedTensor>>* sets, std::size_t most);
  /// Outputs in the order of outputs(). Errors as of Session::run.
  Result<std::vector<Tensor>> run(std::span<const NamedTensor> inputs);
  /// A trial: `observer` alone is told, and nothing is recorded.
  Result<std::vector<Tensor>> run(std::span<const NamedTensor> inputs, InputObserver* observer);

 private:
  std::unique_ptr<Program> program_;
  std::unique_ptr<BufferPool> buffers_;
  ThreadPool* pool_ = nullptr;
  int weight_bits_ = 16;
  InputObserver* observer_ = nullptr;
  std::vector<std::vector<NamedTensor>>* recorded_ = nullptr;
  std::size_t most_recorded_ = 0, distance_ = 1, watched_runs_ = 0;
  void keep(std::span<const NamedTensor> inputs);
  std::vector<PortInfo> inputs_, outputs_;
};

}  // namespace pbatch
