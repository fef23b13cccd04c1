#include "cli/networks.h"

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>

#include "tools/io/array_file.h"
#include "tools/io/port_files.h"

namespace pbatch::cli {
namespace {

constexpr int kDefaultWidths = 8;

Status open_float_side(const NetworkFlags& flags, Networks* nets) {
  std::string path = flags.float_file;
  if (path.empty()) path = nets->quantized->float_source();
  if (path.empty()) {
    nets->float_source = "dequantized";
    return Status::ok();
  }
  PBATCH_ASSIGN_OR_RETURN(nets->float_net, Session::load(path, nets->cpu_options));
  if (!nets->float_net->layers().empty()) {
    return Status(ErrorCode::invalid_argument, "it is not a float network",
                  "give --float the ONNX file that the model was made from")
        .in_file(path);
  }
  nets->float_source = path;
  return Status::ok();
}

Status add_int8(const NetworkFlags& flags, Networks* nets) {
  if (nets->float_source == "dequantized") {
    return Status(ErrorCode::invalid_argument, "--int8 needs the float network",
                  "name it with --float")
        .in_file(flags.file);
  }
  SessionOptions options = nets->cpu_options;
  options.float_backend = FloatBackend::onednn_int8;
  PBATCH_ASSIGN_OR_RETURN(nets->int8_net, Session::load(nets->float_source, options));
  nets->contenders.push_back({&*nets->int8_net, Precision::bits(8, 8), "onednn_int8"});
  return Status::ok();
}

// Those of its own layers.
std::map<std::string, LayerPrecision> own_overrides(const LayerOverrides& all,
                                                    const Session& session) {
  std::map<std::string, LayerPrecision> own;
  for (const LayerInfo& layer : session.layers()) {
    const auto found = all.layers.find(layer.name);
    if (found != all.layers.end()) own.insert(*found);
  }
  return own;
}

Status add_contenders(const NetworkFlags& flags, Networks* nets) {
  const Session& quantized = *nets->quantized;
  const auto overrides = own_overrides(flags.overrides, quantized);
  nets->contenders.push_back(
      {nets->float_net ? &*nets->float_net : &nets->quantized_on_cpu(), Precision::f32(), {}});
  std::vector<int> widths = flags.weight_bits;
  if (widths.empty()) {
    for (int n = 1; n <= std::min(kDefaultWidths, quantized.max_weight_bits()); ++n) {
      widths.push_back(n);
    }
  }
  for (const int width : widths) {
    if (width == 32) continue;  // the float row stands first already
    for (const int abits : flags.activation_bits) {
      const Contender c{
          &quantized,
          {{width, abits}, overrides, flags.overrides.exact, flags.overrides.arithmetic},
          {}};
      // A width that is not there is an error before anything else is measured.
      PBATCH_RETURN_IF_ERROR(quantized.weight_bytes(c.precision).status());
      nets->contenders.push_back(c);
    }
  }
  for (const std::string& file : flags.allocations) {
    PBATCH_ASSIGN_OR_RETURN(Precision precision,
                            precision_of_allocation(file, quantized, flags.overrides));
    nets->contenders.push_back({&quantized, std::move(precision), {}, file});
  }
  return Status::ok();
}

}  // namespace

std::vector<std::string> Networks::files() const {
  std::vector<std::string> all;
  for (const std::optional<Session>* session : {&quantized, &float_net}) {
    if (!*session) continue;
    all.insert(all.end(), (*session)->files().begin(), (*session)->files().end());
  }
  for (const Contender& c : contenders) {
    if (!c.allocation.empty()) all.push_back(c.allocation);
  }
  return all;
}

namespace {

// --min-elements of min_elements
std::string flag_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

// "x=0:1"
Result<InputRange> parse_input_range(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  InputRange range;
  std::istringstream numbers(equals == std::string::npos ? "" : text.substr(equals + 1));
  char colon = 0;
  if (equals == 0 || !(numbers >> range.least >> colon >> range.greatest) || colon != ':' ||
      numbers.peek() != std::char_traits<char>::eof()) {
    return Status(ErrorCode::invalid_argument, "--input-range '" + text + "' is no range",
                  "write NAME=LEAST:GREATEST, such as x=0:1");
  }
  range.input = text.substr(0, equals);
  return range;
}

}  // namespace

void QuantizeFlags::add_to(CLI::App& command) {
  const auto add = [this](CLI::Option* option) { flags_.push_back(option); };
#define PBATCH_QUANTIZE_OPTION(name, field, least, greatest, help)                                 \
  add(command.add_option(flag_of(#name), options.field, help)                                      \
          ->check(CLI::Range(static_cast<double>(least), static_cast<double>(greatest), "NUMBER")) \
          ->capture_default_str());
#include "pbatch/quantize_options.inc"
  add(command
          .add_option_function<std::string>(
              "--group",
              [this](const std::string& text) {
                options.group = text == "auto" ? kAutoGroup : std::stoi(text);
              },
              "Columns per scale; 0: whole rows; auto: 32 for matrices of up to 2^18 weights, 64 "
              "for "
              "larger")
          ->check(CLI::IsMember({"auto", "0", "32", "64", "128"}))
          ->default_str("auto"));
  add(command
          .add_option_function<std::string>(
              "--scheme",
              [this](const std::string& text) {
                options.scheme = *parse_scheme(text);  // checked below
              },
              "How weights become codes")
          ->check(CLI::IsMember(scheme_names()))
          ->default_str("auto"));
  samples_flag_ = command
                      .add_option("--samples", sample_files,
                                  "Inputs to take statistics of, .npy or IDX; no labels; may be "
                                  "repeated")
                      ->type_name("[INPUT=]FILE")
                      ->allow_extra_args(false);
  add(samples_flag_);
  add(command
          .add_option("--input-range", range_texts,
                      "What a float input can be, for integer arithmetic; may be repeated")
          ->type_name("NAME=LEAST:GREATEST")
          ->allow_extra_args(false));
  add(command
          .add_option("--exclude", options.exclude,
                      "Node that stays float; '*' matches anything; may be repeated")
          ->type_name("NAME")
          ->allow_extra_args(false));
}

Status QuantizeFlags::load_samples(const std::string& file) {
  options.input_ranges.clear();
  for (const std::string& text : range_texts) {
    PBATCH_ASSIGN_OR_RETURN(InputRange range, parse_input_range(text));
    options.input_ranges.push_back(std::move(range));
  }
  if (sample_files.empty()) return Status::ok();
  PBATCH_ASSIGN_OR_RETURN(const Session session, Session::load(file, {.threads = 1}));
  options.samples.clear();
  for (const std::string& text : sample_files) {
    const PortFile given = parse_port_file(text, session.inputs());
    PBATCH_ASSIGN_OR_RETURN(ArrayFile array, read_array(given.file));
    const bool pixels = array.idx && array.tensor.dtype() == DType::u8;
    options.samples.push_back({given.name, std::move(array.tensor), pixels});
  }
  return Status::ok();
}

bool QuantizeFlags::given() const {
  return std::any_of(flags_.begin(), flags_.end(), [this](const CLI::Option* option) {
    const bool is_run = samples_are_run && option == samples_flag_;
    return option->count() > 0 && !is_run;
  });
}

void NetworkFlags::add_to(CLI::App& command) {
  add_network_to(command);
  command.add_flag("--int8", int8,
                   "Beside them the float network with its linear layers in int8, by oneDNN");
  command
      .add_option(
          "--allocation", allocations,
          "A file of 'pbatch allocate': beside them each layer at its width; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

void NetworkFlags::add_network_to(CLI::App& command) {
  command.add_option("file", file, "A pbatch model, or a float ONNX network to quantize in memory")
      ->required();
  bits_option =
      command
          .add_option(
              "--bits", bits_text,
              "Weight bits, e.g. 4 or 1:8 or 1,2,4; default: 1 to 8, or as many as there are")
          ->type_name("LIST");
  command.add_option("--abits", abits_text, "Activation bits: 8, 16, 32, 8s")
      ->type_name("LIST")
      ->capture_default_str();
  overrides.add_to(command);
  command.add_option("--float", float_file, "The float network to compare with")->type_name("ONNX");
  quantize.add_to(command);
}

void NetworkFlags::parse() {
  threads.parse();
  device.parse();
  if (bits_option->count() > 0) weight_bits = parse_weight_bits(bits_text);
  activation_bits = parse_activation_bits(abits_text);
  overrides.parse();
}

namespace {

Result<std::unique_ptr<Networks>> open(const NetworkFlags& flags, SessionOptions options,
                                       LayerNames names) {
  auto nets = std::make_unique<Networks>();
  nets->cpu_options = options;
  nets->cpu_options.device = Device::cpu();
  nets->options = std::move(options);
  PBATCH_ASSIGN_OR_RETURN(Session loaded, Session::load(flags.file, nets->cpu_options));
  const auto is_on_gpu = [&] { return nets->quantized->device().device != Device::cpu(); };
  if (loaded.layers().empty()) {
    QuantizeFlags own = flags.quantize;
    PBATCH_RETURN_IF_ERROR(own.load_samples(flags.file));
    QuantizeOptions quantize = std::move(own.options);
    quantize.threads = loaded.threads();
    nets->float_net = std::move(loaded);
    nets->float_source = flags.file;
    PBATCH_ASSIGN_OR_RETURN(nets->quantized,
                            Session::quantize_in_memory(flags.file, quantize, nets->options));
    if (is_on_gpu()) {
      PBATCH_ASSIGN_OR_RETURN(nets->twin_on_cpu,
                              Session::quantize_in_memory(flags.file, quantize, nets->cpu_options));
    }
    if (!flags.float_file.empty()) {
      PBATCH_RETURN_IF_ERROR(open_float_side(flags, nets.get()));
    }
  } else {
    if (flags.quantize.given()) {
      return Status(ErrorCode::invalid_argument,
                    "it is quantized already, so --planes, --group, --min-elements, --floor, "
                    "--scheme, --outliers, --row-sums, --samples, --input-range and --exclude have "
                    "no effect",
                    "leave them out, or give the float network")
          .in_file(flags.file);
    }
    if (nets->options.device.kind == Device::Kind::cpu) {
      nets->quantized = std::move(loaded);
    } else {
      PBATCH_ASSIGN_OR_RETURN(nets->quantized, Session::load(flags.file, nets->options));
      if (is_on_gpu()) nets->twin_on_cpu = std::move(loaded);
    }
    PBATCH_RETURN_IF_ERROR(open_float_side(flags, nets.get()));
  }
  if (nets->quantized->layers().empty()) {
    return Status(ErrorCode::invalid_argument,
                  "nothing in this network is quantized, so every precision is float",
                  "lower --min-elements, or run it with 'pbatch run'")
        .in_file(flags.file);
  }
  if (names == LayerNames::own) {
    if (Status s = flags.overrides.check(*nets->quantized); !s) {
      return std::move(s).in_file(flags.file);
    }
  }
  PBATCH_RETURN_IF_ERROR(add_contenders(flags, nets.get()));
  if (flags.int8) PBATCH_RETURN_IF_ERROR(add_int8(flags, nets.get()));
  return nets;
}

}  // namespace

Result<std::unique_ptr<Networks>> open_networks(const NetworkFlags& flags, LayerNames names) {
  PBATCH_ASSIGN_OR_RETURN(SessionOptions options, flags.threads.session_options());
  options.device = flags.device.device;
  return open(flags, std::move(options), names);
}

Result<std::unique_ptr<Networks>> open_beside(const Networks& first, const NetworkFlags& flags,
                                              const std::string& file,
                                              const std::string& float_file) {
  NetworkFlags second = flags;
  second.file = file;
  second.float_file = float_file;
  PBATCH_ASSIGN_OR_RETURN(auto nets, open(second, first.options, LayerNames::shared));
  for (const auto& [name, precision] : flags.overrides.layers) {
    LayerOverrides one;
    one.layers[name] = precision;
    if (one.check(*first.quantized)) continue;
    if (Status s = one.check(*nets->quantized); !s) return std::move(s).in_file(file);
  }
  const auto same = [](const Contender& a, const Contender& b) {
    return a.precision.all == b.precision.all && a.baseline == b.baseline;
  };
  if (!std::equal(first.contenders.begin(), first.contenders.end(), nets->contenders.begin(),
                  nets->contenders.end(), same)) {
    return Status(ErrorCode::invalid_argument, "it does not hold as many bits as " + flags.file,
                  "give --bits that both hold")
        .in_file(file);
  }
  return nets;
}

}  // namespace pbatch::cli
