// The Python side of Session.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string_view>

#include "bindings.h"
#include "gil.h"
#include "model.h"
#include "session.h"
#include "session_options.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

using Bits = std::optional<int>;

void from_file(PySession* self, const std::string& path, const PySessionOptions& options) {
  const SessionOptions native = options.native;
  new (self) PySession(take(without_gil([&] { return Session::load(path, native); })));
}

void from_model(PySession* self, const Model& model, const PySessionOptions& options) {
  const SessionOptions native = options.native;
  const auto bytes = model.bytes;
  new (self) PySession(
      take(without_gil([&] { return Session::load_bytes(bytes->model, bytes->data, native); })));
}

void from_bytes(PySession* self, const nb::bytes& onnx, const PySessionOptions& options) {
  const SessionOptions native = options.native;
  const std::string_view view(onnx.c_str(), onnx.size());
  new (self) PySession(take(without_gil([&] { return Session::load_bytes(view, {}, native); })));
}

constexpr const char* kRun =
    "One run.\n\n"
    "``output_names``: the outputs to return, in that order; None: all of them. ``input_feed``: an "
    "array for\neach input by name: of numpy, or any that speaks DLPack or the buffer protocol. It "
    "is "
    "read in place if\nits elements lie in order, else copied; lists and numbers become arrays.\n\n"
    "``bits``: of the weights, 1 to 16, or 32 for float (default 4). ``abits``: of the "
    "activations, "
    "8, 16 or\n32 (default 16). ``layers``: other bits for some layers, {name: bits} or {name: "
    "(bits, "
    "abits)}. A float\nnetwork ignores all three. ``out``: arrays for results, {name: array}; what "
    "is "
    "returned for these names\nis that array.\n\n"
    "Other Python threads go on meanwhile; any number of threads may run one session at once.\n\n"
    ">>> y, = session.run(None, {\"x\": x}, bits=3, abits=8, layers={\"fc1\": 6})\n"
    ">>> y.shape, y.dtype\n((1, 10), dtype('float32'))\n\n"
    "Raises InvalidArgumentError for a name or type that is not the network's, ShapeMismatchError, "
    "\nPrecisionUnavailableError for more bits than the model holds, and NotFiniteError.";

}  // namespace

void bind_session(nb::module_& m) {
  nb::class_<PySession> c(m, "Session", "A loaded network, ready to run at any precision.");
  c.def("__init__", &from_file, nb::arg("path"), nb::arg("options"));
  c.def("__init__", &from_model, nb::arg("model"), nb::arg("options"));
  c.def("__init__", &from_bytes, nb::arg("onnx"), nb::arg("options"));
  c.def(
      "run",
      [](const PySession& self, nb::handle output_names, nb::handle input_feed,
         const RunOptions* options, Bits bits, Bits abits, nb::handle layers, nb::handle out) {
        return self.run(output_names, input_feed, options, {bits, abits, nb::borrow(layers)}, out);
      },
      nb::arg("output_names").none(), nb::arg("input_feed"), nb::arg("run_options") = nb::none(),
      nb::kw_only(), nb::arg("bits") = nb::none(), nb::arg("abits") = nb::none(),
      nb::arg("layers") = nb::none(), nb::arg("out") = nb::none(),
      nb::sig("def run(self, output_names: collections.abc.Sequence[str] | None, "
              "input_feed: dict[str, typing.Any], run_options: RunOptions | None = None, *, "
              "bits: int | None = None, abits: int | None = None, "
              "layers: dict[str, int | tuple[int, int]] | None = None, "
              "out: dict[str, typing.Any] | None = None) -> list[numpy.ndarray]"),
      kRun);
  c.def(
      "__call__", &PySession::call,
      nb::sig("def __call__(self, *inputs: typing.Any, **named: typing.Any) -> typing.Any"),
      "run() with inputs in order or by keyword, and the keywords ``bits``, ``abits``, ``layers`` "
      "and ``out``.\nReturns the output, or a tuple if the network has several.\n\n"
      ">>> session(x=x, bits=3).shape\n(1, 10)");
  c.def("close", &PySession::close,
        "Lets go of the model. Runs under way in other threads go on; later calls raise "
        "InvalidArgumentError.");
  c.def(
      "prepare",
      [](const PySession& self, Bits bits, Bits abits, nb::handle layers, nb::handle shapes) {
        self.prepare({bits, abits, nb::borrow(layers)}, shapes);
      },
      nb::kw_only(), nb::arg("bits") = nb::none(), nb::arg("abits") = nb::none(),
      nb::arg("layers") = nb::none(), nb::arg("shapes") = nb::none(),
      nb::sig("def prepare(self, *, bits: int | None = None, abits: int | None = None, "
              "layers: dict[str, int | tuple[int, int]] | None = None, "
              "shapes: dict[str, collections.abc.Sequence[int]] | None = None) -> None"),
      "Does now what the first run at this precision and on inputs of these shapes would do: "
      "checks "
      "them, maps and repacks weights.\nFree dimensions of other inputs count 1.\n\n"
      ">>> session.prepare(bits=3, shapes={\"x\": (16, 64)})");
  c.def(
      "_plan",
      [](const PySession& self, Bits bits, Bits abits, nb::handle layers, nb::handle shapes) {
        return self.plan({bits, abits, nb::borrow(layers)}, shapes);
      },
      nb::arg("bits").none(), nb::arg("abits").none(), nb::arg("layers").none(),
      nb::arg("shapes").none());
  c.def(
      "_profile",
      [](const PySession& self, nb::handle input_feed, Bits bits, Bits abits, nb::handle layers,
         int runs) {
        return self.profile(input_feed, {bits, abits, nb::borrow(layers)}, runs);
      },
      nb::arg("input_feed"), nb::arg("bits").none(), nb::arg("abits").none(),
      nb::arg("layers").none(), nb::arg("runs"));
  c.def(
      "_time_runs",
      [](const PySession& self, nb::handle input_feed, Bits bits, Bits abits, int times) {
        return self.time_runs(input_feed, {bits, abits, nb::none()}, times);
      },
      nb::arg("input_feed"), nb::arg("bits"), nb::arg("abits"), nb::arg("times"));
  c.def(
      "weight_bytes",
      [](const PySession& self, Bits bits, Bits abits, nb::handle layers) {
        return self.weight_bytes({bits, abits, nb::borrow(layers)});
      },
      nb::kw_only(), nb::arg("bits") = nb::none(), nb::arg("abits") = nb::none(),
      nb::arg("layers") = nb::none(),
      nb::sig("def weight_bytes(self, *, bits: int | None = None, abits: int | None = None, "
              "layers: dict[str, int | tuple[int, int]] | None = None) -> int"),
      "Bytes of weights, scales and float constants that one run at this precision reads.\n\n"
      ">>> session.weight_bytes(bits=2) < session.weight_bytes(bits=4)\nTrue");
  c.def(
      "_read_allocation",
      [](const PySession& self, const std::string& path) {
        const std::shared_ptr<const Session> session = self.open();
        const Precision precision =
            take(without_gil([&] { return Precision::from_allocation(path, *session); }));
        nb::dict layers;
        for (const auto& [name, bits] : precision.layers) {
          layers[name.c_str()] = nb::make_tuple(bits.weight_bits, bits.activation_bits);
        }
        return layers;
      },
      nb::arg("path"),
      nb::sig("def _read_allocation(self, path: str) -> dict[str, int | tuple[int, int]]"));
  c.def(
      "get_inputs", [](const PySession& self) { return self.open()->inputs(); },
      "The network's inputs.\n\n>>> session.get_inputs()\n"
      "[NodeArg(name='x', type='tensor(float)', shape=[None, 64])]");
  c.def(
      "get_outputs", [](const PySession& self) { return self.open()->outputs(); },
      "The network's outputs.");
  c.def_prop_ro(
      "layers", [](const PySession& self) { return self.open()->layers(); },
      "The matrices held as bit-layers; none for a float network.");
  c.def_prop_ro(
      "max_weight_bits", [](const PySession& self) { return self.open()->max_weight_bits(); },
      "The greatest width that every layer can run at; 0 for a float network.");
  c.def_prop_ro(
      "threads", [](const PySession& self) { return self.open()->threads(); },
      "Threads at work on one run, with the calling one.");
  c.def_prop_ro(
      "device", [](const PySession& self) { return device_text(self.open()->device().device); },
      "\"cpu\" or \"cuda:N\".");
  c.def_prop_ro(
      "device_reason", [](const PySession& self) { return self.open()->device().reason; },
      "Why device=\"auto\" is the CPU: one line; else empty.");
  c.def_prop_ro(
      "kernel_costs", [](const PySession& self) { return self.open()->kernel_costs(); },
      "The table that chooses the kernels: \"built-in\", perhaps with a reason, or \"tuned "
      "on DATE\".");
  c.def_prop_ro(
      "float_source", [](const PySession& self) { return self.open()->float_source(); },
      "Path of the float network that the model was made from, if it is there; else empty.");
}

}  // namespace pbatch::python
