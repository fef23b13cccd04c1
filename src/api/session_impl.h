// What a session consists of; its functions are in session.cc and session_integer.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer_pool.h"
#include "base/fork.h"
#include "base/recent.h"
#include "base/thread_pool.h"
#include "device/device_network.h"
#include "integer/integer_cache.h"
#include "pbatch/session.h"
#include "product/step_timings.h"
#include "run/program.h"

namespace pbatch {

/// Counts a run that is under way.
class RunUnderWay {
 public:
  explicit RunUnderWay(std::atomic<int>& count) : count_(count) {}
  ~RunUnderWay() { count_.fetch_sub(1, std::memory_order_relaxed); }
  RunUnderWay(const RunUnderWay&) = delete;
  RunUnderWay& operator=(const RunUnderWay&) = delete;

 private:
  std::atomic<int>& count_;
};

struct Session::Impl {
  Impl(Program p, std::shared_ptr<ThreadPool> threads, FloatBackend backend)
      : program(std::move(p)), pool(std::move(threads)), float_backend(backend) {}

  Program program;
  std::shared_ptr<ThreadPool> pool;
  BufferPool buffers;
  FloatBackend float_backend;
  std::string kernel_costs;
  std::vector<PortInfo> inputs, outputs;
  std::vector<LayerInfo> layers;
  DeviceInfo device;
  std::unique_ptr<DeviceNetwork> on_device;  // null on the CPU

  // Runs that have begun and not ended, of all threads; in a forked process also of those that do
  // not exist here and never will end.
  std::atomic<int> under_way{0};
  const std::uint32_t made_in = fork_generation();
  std::uint32_t checked_in = made_in;  // written under fork_mutex(), as is the next one
  bool left_running = false;

  /// The float network as it was, where optional inputs are none of `program`: it takes their
  /// values for constants. Runs that are fed one go to a session of its own, made when it is
  /// needed.
  std::optional<Graph> with_optional_inputs;
  SessionOptions options;
  std::mutex fed_mutex;
  std::unique_ptr<Session> fed;

  const Precision of_float = Precision::f32();  // what every run of a float network has
  bool has_floors = false;                      // some layer has min_weight_bits
  IntegerCache integers;
  std::mutex meant_mutex;
  Recent<Precision, Precision> meant{8};  // as given, and with_floors() of it

  void describe();
  Status choose_device(const Device& wanted);
  Result<std::vector<Tensor>> run(std::span<const NamedTensor> inputs, const Precision& precision,
                                  StepTimings* timings);
  Result<std::vector<Tensor>> run_on_device(RunContext& context, std::span<const Tensor> inputs);
  Result<std::shared_ptr<const Plan>> compiled(const RunContext& context,
                                               std::span<const Tensor> inputs) const;
  Result<std::vector<PlanStep>> plan(const Precision& precision,
                                     std::span<const InputShape> shapes);
  Result<std::vector<PlanStep>> plan(RunContext& context, std::span<const Tensor> inputs);
  Status begin_run();
  Status check_precision(const Precision& precision) const;
  Status check_arithmetic(const Precision& precision) const;
  Result<std::shared_ptr<const IntegerProgram>> integer_program(const Precision& precision,
                                                                std::span<const InputShape> shapes);
  /// What `precision` means for this network. Allocates nothing for one that was used lately.
  std::shared_ptr<const Precision> meant_by(const Precision& precision);
  Precision with_floors(const Precision& given) const;
  FloatBackend backend_for(const Precision& precision) const {
    return precision.exact && float_backend != FloatBackend::onednn_int8 ? FloatBackend::by_row
                                                                         : float_backend;
  }
  template <class Given>
  bool feeds_optional(const Given& given) const;
  Result<const Session*> taking_optional_inputs();
};

}  // namespace pbatch
