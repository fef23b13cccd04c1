// A loaded network, ready to run at any precision.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pbatch/device.h"
#include "pbatch/export.h"
#include "pbatch/integer.h"
#include "pbatch/network.h"
#include "pbatch/plan.h"
#include "pbatch/precision.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"
#include "pbatch/thread_pool.h"

namespace pbatch {

struct Graph;
struct QuantizeOptions;

struct SessionOptions {
  int threads = 0;  ///< at work on one run, with the calling one; 0: one per CPU
  FloatBackend float_backend = FloatBackend::fastest;
  std::vector<int> cpus;  ///< where they run, as in ThreadPoolOptions; empty: anywhere
  /// Shared with other sessions, in place of a pool of its own; threads and cpus stay unset.
  std::shared_ptr<ThreadPool> pool;
  /// Measured costs by which kernels are chosen: "builtin", the path of a table, or empty: what the
  /// environment variable PBATCH_KERNEL_COSTS says in the same way, else the table that
  /// `pbatch bench --tune` left in the user's cache folder, else the built-in one, in line with a
  /// few products on this machine: the first session measures them, within about 100 ms, and leaves
  /// the result in the cache folder. Results never depend on it.
  std::string kernel_costs;
  /// On a GPU, networks of fully connected and recurrent layers run whole, with results of
  /// bit-layers that are those of the CPU, bit for bit. load() refuses others and names the node.
  Device device = Device::cpu();
};

/// All const functions are safe from any number of threads at once; moving, assigning and
/// destroying need that no other thread uses the session. What they return by reference lives as
/// long as it.
class PBATCH_API Session {
 public:
  /// Loads a float ONNX file or a pbatch model (recognised by its content).
  /// Everything that can be refused without data is refused here: damaged
  /// files, unsupported operators, impossible shapes. not_found and io for the files; malformed;
  /// unsupported for an operator, an opset, an element type, a device that is not there or does not
  /// run the network, and an instruction set in PBATCH_ISA; shape_mismatch and not_finite for a
  /// network that cannot be; invalid_argument for the options; out_of_memory.
  static Result<Session> load(const std::string& path, const SessionOptions& options = {});
  /// The same from the bytes of the .onnx file and, of a pbatch model, of its .safetensors file.
  /// They are read during the call only. A float network must hold its weights itself.
  static Result<Session> load_bytes(std::string_view model, std::string_view data,
                                    const SessionOptions& options = {});
  /// Quantizes in memory: the float network `path` becomes a session over bit-layers, with plain
  /// codes unless quantize.scheme says compensated.
  static Result<Session> quantize_in_memory(const std::string& path,
                                            const QuantizeOptions& quantize,
                                            const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Those that must be fed first, optional ones behind them; outputs in the order of results.
  const std::vector<PortInfo>& inputs() const;
  const std::vector<PortInfo>& outputs() const;
  /// Matrices held as bit-layers, in the order of the network; none of a float network.
  const std::vector<LayerInfo>& layers() const;
  /// The files that it was loaded from: the network or model, and its data.
  const std::vector<std::string>& files() const;
  /// That work on one run, the calling one included.
  int threads() const;
  /// What it runs on.
  const DeviceInfo& device() const;
  /// The table that chooses the kernels: "built-in", perhaps with a reason, "adapted on DATE" or
  /// "tuned on DATE".
  /// Empty for a float network and on a GPU.
  const std::string& kernel_costs() const;
  /// The greatest width that every layer can run at; 0 for a float network.
  int max_weight_bits() const;
  /// What tells weights of bit-layers apart: a checksum of the names, codes and scales of all
  /// layers, the same wherever they were loaded from or made; empty for a float network. Of a
  /// network that was quantized in memory every call reads all its planes.
  std::string weights_checksum() const;
  /// Path of the float network this model was made from, if the model records
  /// one and a file with the recorded checksum is there; else empty.
  std::string float_source() const;

  /// Runs the network. Inputs in any order, by name, optional ones or not; results in the order
  /// of outputs(). Any number of threads may call run() on one session at once,
  /// each with its own precision; the same inputs and precision give the same
  /// bits. A float network ignores `precision`. With weight_bits 32 a
  /// quantized network runs on floats rebuilt from all its bit-layers, on the CPU only. A GPU keeps
  /// what it has built for the precisions and input shapes that came last. invalid_argument for an
  /// input that is missing, given twice, unknown or of another element type, and for bits that do
  /// not exist; not_found for a layer of `precision`; shape_mismatch for a shape that does not fit;
  /// precision_unavailable for more planes than the file holds; malformed if planes fail their
  /// checksums; not_finite for a NaN or an infinity before a bit-layer; unsupported for what only
  /// data shows; out_of_memory.
  Result<std::vector<Tensor>> run(std::span<const NamedTensor> inputs,
                                  const Precision& precision) const;
  /// What every step of such a run takes: the medians of `runs` runs after one that is not counted,
  /// in the order of the run. On another device than the CPU one line for the run as a whole, which
  /// was recorded. invalid_argument for runs below 1, else errors as from run(). Thread-safe, but
  /// what other threads do meanwhile disturbs it.
  Result<std::vector<StepTime>> profile(std::span<const NamedTensor> inputs,
                                        const Precision& precision, int runs = 20) const;
  /// Does now what the first run at this precision and on inputs of these shapes would do: checks
  /// them against each other and the planes at hand, chooses kernels, reads and repacks weights.
  /// Free dimensions of inputs that `shapes` leaves out count 1. The plans of the last few
  /// precisions and shapes are kept. Errors as from run(). Thread-safe.
  Status prepare(const Precision& precision, std::span<const InputShape> shapes = {}) const;

  /// What such a run does, step by step: prepare()'s plan, which is what run() executes. The steps
  /// of a subgraph stand before the node around them, those of a loop as in its first round. Errors
  /// as from run(). Thread-safe.
  Result<std::vector<PlanStep>> plan(const Precision& precision,
                                     std::span<const InputShape> shapes = {}) const;
  /// Bytes of planes, scales and float constants of the model that one run at this precision reads.
  /// Errors of `precision` as from run(). Thread-safe.
  Result<std::int64_t> weight_bytes(const Precision& precision) const;
  /// What proves that no sum of an integer run overflows, product by product. Inputs as of plan();
  /// errors as from an integer run.
  Result<std::vector<AccumulatorBound>> accumulators(const Precision& precision,
                                                     std::span<const InputShape> shapes = {}) const;
  /// The integer run at this precision, for inputs of these shapes (free dimensions that they leave
  /// out count 1), as C99 without floats, allocations or libraries: NAME.c, NAME.h, the steps, a
  /// makefile, and a test of the bits that the network gives for made-up inputs. `name`: a C
  /// identifier. Errors as from an integer run.
  Result<std::vector<SourceFile>> export_c(const std::string& name, const Precision& precision,
                                           std::span<const InputShape> shapes = {}) const;
  /// Bytes that weights take besides those of the model: scales as kernels read them, and copies in
  /// kernels' layouts, of all precisions that are ready (weight_memory.h). Sessions of one file
  /// share them. Not counted: the floats that weight_bits 32 runs on, and a GPU's memory.
  std::int64_t prepared_bytes() const;

 private:
  struct PBATCH_LOCAL Impl;
  static Result<Session> from_graph(Graph graph, const SessionOptions& options);
  PBATCH_LOCAL static Result<Session> from_loaded(Graph graph, const SessionOptions& options);
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pbatch
