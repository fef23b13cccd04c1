#include "session_options.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "status.h"
#include "thread_pool.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

constexpr const char* kBackends[] = {"fastest", "onednn", "openblas", "onednn_int8"};

std::string backend_text(const PySessionOptions& options) {
  return kBackends[static_cast<int>(options.native.float_backend)];
}

void set_backend(PySessionOptions& options, const std::string& text) {
  for (int i = 0; i < 4; ++i) {
    if (text != kBackends[i]) continue;
    options.native.float_backend = static_cast<FloatBackend>(i);
    return;
  }
  raise_invalid("there is no float backend '" + text + "'",
                "use fastest, onednn, openblas or onednn_int8");
}

nb::object entry(const PySessionOptions& options, const std::string& key) {
  const auto it = options.entries.find(key);
  if (it == options.entries.end()) {
    raise(Status(ErrorCode::not_found, "no session option is named '" + key + "'",
                 "add_session_config_entry sets it"));
  }
  return nb::cast(it->second);
}

void set_entry(PySessionOptions& options, const std::string& key, const std::string& value) {
  if (key.starts_with("pbatch.")) {
    raise_invalid("there is no session option '" + key + "'",
                  "the attributes of SessionOptions are what there is");
  }
  options.entries[key] = value;
}

}  // namespace

Device read_device(const std::string& text) { return take(Device::parse(text)); }

std::string device_text(const Device& device) { return device.to_string(); }

void bind_session_options(nb::module_& m) {
  using Options = PySessionOptions;
  nb::class_<Options> c(
      m, "SessionOptions",
      "How a session works. The names of onnxruntime are there, too: "
      "``intra_op_num_threads`` is\n``threads``; the others are kept and have no "
      "effect.\n\n>>> options = pbatch.SessionOptions()\n>>> options.threads = 1\n"
      ">>> options.intra_op_num_threads\n1");
  c.def(nb::init<>());
  c.def("__copy__", [](const Options& o) { return o; });
  const auto threads = [](const Options& o) { return o.native.threads; };
  const auto set_threads = [](Options& o, int n) { o.native.threads = n; };
  c.def_prop_rw("threads", threads, set_threads,
                "Threads at work on one run, with the calling one; 0: one per CPU.");
  c.def_prop_rw("intra_op_num_threads", threads, set_threads, "The same as ``threads``.");
  c.def_prop_rw(
      "cpus", [](const Options& o) { return o.native.cpus; },
      [](Options& o, std::vector<int> cpus) { o.native.cpus = std::move(cpus); },
      "The CPU of each thread; empty: anywhere. The first is the calling thread's, which is never "
      "moved.");
  c.def_prop_rw(
      "pool",
      [](const Options& o) -> nb::object {
        return o.native.pool == nullptr ? nb::none() : nb::cast(PyThreadPool{o.native.pool});
      },
      [](Options& o, const PyThreadPool* pool) {
        o.native.pool = pool == nullptr ? nullptr : pool->native;
      },
      nb::for_getter(nb::sig("def pool(self) -> ThreadPool | None")),
      nb::for_setter(nb::sig("def pool(self, pool: ThreadPool | None, /) -> None")),
      nb::for_setter(nb::arg("pool").none()),
      "Threads shared with other sessions; ``threads`` must be 0 then.");
  c.def_prop_rw(
      "device", [](const Options& o) { return device_text(o.native.device); },
      [](Options& o, const std::string& text) { o.native.device = read_device(text); },
      "One of device_names(), \"cuda:N\" for its device N. \"auto\": a GPU if one is there that "
      "runs the "
      "network.");
  c.def_prop_rw("float_backend", &backend_text, &set_backend,
                "Who multiplies float matrices: \"fastest\", \"onednn\", \"openblas\" or the "
                "baseline \"onednn_int8\".");
  c.def_prop_rw(
      "kernel_costs", [](const Options& o) { return o.native.kernel_costs; },
      [](Options& o, const std::string& text) { o.native.kernel_costs = text; },
      "The table that kernels are chosen by: \"builtin\", a path, or \"\" for the default.");
  c.def("add_session_config_entry", &set_entry, nb::arg("key"), nb::arg("value"),
        "Keeps an entry of onnxruntime; it has no effect.");
  c.def("get_session_config_entry", &entry, nb::arg("key"),
        nb::sig("def get_session_config_entry(self, key: str) -> str"),
        "The entry that add_session_config_entry kept.");
  const char* const kept = "Kept for programs of onnxruntime; it has no effect.";
  c.def_rw("inter_op_num_threads", &Options::inter_op_num_threads, kept);
  c.def_rw("execution_mode", &Options::execution_mode, kept);
  c.def_rw("graph_optimization_level", &Options::graph_optimization_level, kept);
  c.def_rw("log_severity_level", &Options::log_severity_level, kept);
  c.def_rw("log_verbosity_level", &Options::log_verbosity_level, kept);
  c.def_rw("logid", &Options::logid, kept);
  c.def_rw("enable_cpu_mem_arena", &Options::enable_cpu_mem_arena, kept);
  c.def_rw("enable_mem_pattern", &Options::enable_mem_pattern, kept);
  c.def_rw("enable_mem_reuse", &Options::enable_mem_reuse, kept);
  c.def_rw("use_deterministic_compute", &Options::use_deterministic_compute, kept);
}

}  // namespace pbatch::python
