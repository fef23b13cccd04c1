#include "model.h"

#include <nanobind/stl/string.h>

#include "bindings.h"
#include "gil.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

nb::bytes to_bytes(const std::string& text) { return nb::bytes(text.data(), text.size()); }

std::string from_bytes(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

nb::tuple save(const Model& model, nb::handle given) {
  const auto path =
      nb::cast<std::string>(nb::module_::import_("pbatch._source").attr("path_of")(given));
  const auto bytes = model.bytes;
  check(without_gil([&] { return write_model(*bytes, path); }));
  const std::string stem = path.substr(0, path.rfind(".onnx"));
  return nb::make_tuple(path, stem + ".safetensors");
}

}  // namespace

void bind_model(nb::module_& m) {
  nb::class_<Model> c(
      m, "Model",
      "A pbatch model in memory: the bytes of its two files. Can be pickled.\n\n"
      ">>> report, model = pbatch.quantize(\"net.onnx\")\n>>> model.nbytes < 100_000\nTrue\n"
      ">>> model.save(\"copy.pbatch.onnx\")\n"
      "('copy.pbatch.onnx', 'copy.pbatch.safetensors')");
  c.def(
      "__init__",
      [](Model* self, const nb::bytes& onnx, const nb::bytes& safetensors) {
        new (self) Model{
            std::make_shared<ModelBytes>(ModelBytes{from_bytes(onnx), from_bytes(safetensors)})};
      },
      nb::arg("onnx"), nb::arg("safetensors"), "From what the files hold.");
  c.def_prop_ro(
      "onnx", [](const Model& model) { return to_bytes(model.bytes->model); },
      "What the .onnx file holds; a copy.");
  c.def_prop_ro(
      "safetensors", [](const Model& model) { return to_bytes(model.bytes->data); },
      "What the .safetensors file holds; a copy.");
  c.def_prop_ro(
      "nbytes",
      [](const Model& model) { return model.bytes->model.size() + model.bytes->data.size(); },
      "Bytes of both.");
  c.def("save", &save, nb::arg("path"),
        nb::sig("def save(self, path: str | os.PathLike[str]) -> tuple[str, str]"),
        "Writes ``path``, which must end in .onnx, and its data beside it as .safetensors: both or "
        "neither.\nReturns both paths.");
  c.def(
      "__reduce__",
      [](const Model& model) {
        return nb::make_tuple(nb::type<Model>(), nb::make_tuple(to_bytes(model.bytes->model),
                                                                to_bytes(model.bytes->data)));
      },
      nb::sig("def __reduce__(self) -> tuple[object, ...]"));
  c.def("__repr__", [](const Model& model) {
    return "<pbatch.Model of " +
           std::to_string(model.bytes->model.size() + model.bytes->data.size()) + " bytes>";
  });
}

}  // namespace pbatch::python
