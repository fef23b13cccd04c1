// The quantized network and its float side, as eval, compare and sweep need them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/bits.h"
#include "cli/device.h"
#include "cli/options.h"
#include "cli/threads.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tools/eval/contender.h"

namespace pbatch::cli {

/// Options of quantization, for `quantize` and for float files quantized in memory.
struct QuantizeFlags {
  QuantizeOptions options;
  std::vector<std::string> sample_files;  ///< FILE or INPUT=FILE
  std::vector<std::string> range_texts;   ///< INPUT=LEAST:GREATEST
  void add_to(CLI::App& command);
  /// Reads the samples for the network `file`, and the ranges. Errors of reading.
  Status load_samples(const std::string& file);
  /// Whether any was given that says how to quantize.
  bool given() const;
  /// The samples also are what the command runs, so that quantized networks take them, too.
  bool samples_are_run = false;

 private:
  std::vector<CLI::Option*> flags_;
  CLI::Option* samples_flag_ = nullptr;
};

struct NetworkFlags {
  std::string file, float_file;
  ThreadFlags threads;
  DeviceFlag device;  ///< of the quantized network; the others run on the CPU
  QuantizeFlags quantize;
  std::string bits_text, abits_text = "16";
  bool int8 = false;  ///< oneDNN's int8 beside the others
  CLI::Option* bits_option = nullptr;
  LayerOverrides overrides;
  std::vector<std::string> allocations;  ///< files

  void add_to(CLI::App& command);
  /// The same less what others it is compared with: --int8 and --allocation.
  void add_network_to(CLI::App& command);
  /// Checks the texts; throws CLI::ValidationError.
  void parse();

  std::vector<int> weight_bits,
      activation_bits;  ///< after parse(); weight_bits empty: as many as there are
};

/// What --layer may name.
enum class LayerNames {
  own,     ///< layers of this network
  shared,  ///< also those of another, which are passed over
};

/// Two sessions and the precisions to set side by side.
struct Networks {
  std::optional<Session> quantized, float_net, int8_net;
  std::string float_source;    ///< path of the float network, or "dequantized"
  SessionOptions options;      ///< of `quantized`
  SessionOptions cpu_options;  ///< of the others
  /// The quantized network on the CPU, which also runs it at 32 weight bits.
  const Session& quantized_on_cpu() const { return twin_on_cpu ? *twin_on_cpu : *quantized; }
  std::optional<Session> twin_on_cpu;  ///< there if `quantized` is not on the CPU

  /// The float network first, then each width with each activation width, then others.
  std::vector<Contender> contenders;
  std::size_t planned = 0;   ///< of the contenders, the last ones: widths that sweep chose
  std::string no_plan_note;  ///< a line that says why there are none

  /// Files that the sessions were loaded from, and allocations.
  std::vector<std::string> files() const;
};

/// Opens FILE, a model or a float network (which is then quantized in memory),
/// and the float side: the file itself, --float, the float network that the
/// model names, or else the model's own bit-layers turned back into floats.
/// An error if nothing is quantized: every row would be the float answer.
Result<std::unique_ptr<Networks>> open_networks(const NetworkFlags& flags,
                                                LayerNames names = LayerNames::own);
/// The same for a second network of one command: its files, the flags' precisions and
/// quantization, and the threads of `first`, which was opened with shared layer names. An error if
/// --layer names a layer of neither, or the two stand at different precisions.
Result<std::unique_ptr<Networks>> open_beside(const Networks& first, const NetworkFlags& flags,
                                              const std::string& file,
                                              const std::string& float_file);

}  // namespace pbatch::cli
