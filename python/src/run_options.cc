#include "run_options.h"

#include <nanobind/stl/string.h>

#include <charconv>
#include <sstream>

#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

[[noreturn]] void raise_bad_value(const std::string& key, const std::string& value) {
  raise_invalid("run option '" + key + "' cannot be '" + value + "'",
                "pbatch.bits and pbatch.abits are numbers, the latter also 8s, pbatch.layers is "
                "NAME=BITS[,ABITS], "
                "several with ';' between them, pbatch.arithmetic is float or integer");
}

int read_number(const std::string& key, const std::string& text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) raise_bad_value(key, text);
  return number;
}

int read_abits(const std::string& key, const std::string& text) {
  return text == "8s" ? kActivations8s : read_number(key, text);
}

void read_layers(RunOptions& options, const std::string& key, const std::string& value) {
  std::istringstream parts(value);
  std::map<std::string, LayerPrecision> layers;
  for (std::string part; std::getline(parts, part, ';');) {
    const std::size_t at = part.rfind('=');
    if (at == std::string::npos || at == 0) raise_bad_value(key, value);
    const std::string bits = part.substr(at + 1);
    const std::size_t comma = bits.find(',');
    LayerPrecision layer{read_number(key, bits.substr(0, comma)),
                         options.precision.all.activation_bits};
    if (comma != std::string::npos) {
      layer.activation_bits = read_abits(key, bits.substr(comma + 1));
    }
    layers[part.substr(0, at)] = layer;
  }
  options.precision.layers = std::move(layers);
}

void set_entry(RunOptions& options, const std::string& key, const std::string& value) {
  if (key == "pbatch.bits") {
    options.precision.all.weight_bits = read_number(key, value);
  } else if (key == "pbatch.abits") {
    options.precision.all.activation_bits = read_abits(key, value);
  } else if (key == "pbatch.layers") {
    read_layers(options, key, value);
  } else if (key == "pbatch.exact") {
    options.precision.exact = read_number(key, value) != 0;
  } else if (key == "pbatch.arithmetic") {
    if (value != "float" && value != "integer") raise_bad_value(key, value);
    options.precision.arithmetic = value == "integer" ? Arithmetic::integers : Arithmetic::floats;
  } else if (key.starts_with("pbatch.")) {
    raise_invalid("there is no run option '" + key + "'",
                  "use pbatch.bits, pbatch.abits, pbatch.layers, pbatch.exact or "
                  "pbatch.arithmetic");
  }
  options.entries[key] = value;
}

std::string entry(const RunOptions& options, const std::string& key) {
  const auto it = options.entries.find(key);
  if (it != options.entries.end()) return it->second;
  raise(Status(ErrorCode::not_found, "no run option is named '" + key + "'",
               "add_run_config_entry sets it"));
}

}  // namespace

void apply(const RunOptions& options, Precision* precision) {
  const auto says = [&](const char* key) { return options.entries.contains(key); };
  const Precision& said = options.precision;
  if (says("pbatch.bits")) precision->all.weight_bits = said.all.weight_bits;
  if (says("pbatch.abits")) precision->all.activation_bits = said.all.activation_bits;
  if (says("pbatch.arithmetic")) precision->arithmetic = said.arithmetic;
  if (says("pbatch.exact")) precision->exact = said.exact;
  if (says("pbatch.layers")) precision->layers = said.layers;
}

void bind_run_options(nb::module_& m) {
  nb::class_<RunOptions> c(
      m, "RunOptions",
      "The precision of a run, for code that hands options around as onnxruntime does. What run() "
      "is given\nas ``bits``, ``abits`` and ``layers`` goes before.\n\n"
      ">>> options = pbatch.RunOptions()\n>>> options.add_run_config_entry(\"pbatch.bits\", "
      "\"3\")\n"
      ">>> y, = session.run(None, {\"x\": x}, options)");
  c.def(nb::init<>());
  c.def("add_run_config_entry", &set_entry, nb::arg("key"), nb::arg("value"),
        "\"pbatch.bits\", \"pbatch.abits\", \"pbatch.layers\" (\"fc1=3,8;fc2=4\"), "
        "\"pbatch.exact\" (\"1\": no\nconvolution in float because that is faster) or "
        "\"pbatch.arithmetic\" (\"integer\": no float between inputs\nand outputs). Other keys are "
        "kept and have no effect. Raises InvalidArgumentError for a value that is none.");
  c.def("get_run_config_entry", &entry, nb::arg("key"), "The entry as it was added.");
  const char* const kept = "Kept for programs of onnxruntime; it has no effect.";
  c.def_rw("log_severity_level", &RunOptions::log_severity_level, kept);
  c.def_rw("log_verbosity_level", &RunOptions::log_verbosity_level, kept);
  c.def_rw("logid", &RunOptions::logid, kept);
}

}  // namespace pbatch::python
