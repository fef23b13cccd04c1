#include "session.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <optional>

#include "dictionary.h"
#include "gil.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

std::string names_of(const std::vector<PortInfo>& ports) {
  std::string names;
  for (const PortInfo& port : ports) names += (names.empty() ? "'" : ", '") + port.name + "'";
  return names;
}

// Where `name` stands among the ports. Raises if it is not there.
std::size_t find_port(const std::vector<PortInfo>& ports, nb::handle name,
                      const std::string& kind) {
  Py_ssize_t size = 0;
  const char* const text =
      PyUnicode_Check(name.ptr()) ? PyUnicode_AsUTF8AndSize(name.ptr(), &size) : nullptr;
  if (text == nullptr) {
    PyErr_Clear();
    raise_invalid("an " + kind + "'s name is " + nb::cast<std::string>(nb::repr(name)),
                  "the network's " + kind + "s are " + names_of(ports));
  }
  const std::string_view wanted(text, static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == wanted) return i;
  }
  raise_invalid("the network has no " + kind + " '" + std::string(wanted) + "'",
                "its " + kind + "s are " + names_of(ports));
}

// The outputs wanted, by number.
std::vector<std::size_t> find_outputs(const std::vector<PortInfo>& ports, nb::handle names) {
  std::vector<std::size_t> wanted;
  const bool all = names.is_none() || (!PyUnicode_Check(names.ptr()) && nb::len(names) == 0);
  for (std::size_t i = 0; all && i < ports.size(); ++i) wanted.push_back(i);
  if (all) return wanted;
  if (PyUnicode_Check(names.ptr())) {
    raise_invalid("'output_names' is one string", "give a list of names, or None for all outputs");
  }
  for (const nb::handle name : names) wanted.push_back(find_port(ports, name, "output"));
  return wanted;
}

Precision precision_of(const RunOptions* options, const PrecisionParts& parts) {
  Precision precision = precision_of_block();
  if (options != nullptr) apply(*options, &precision);
  apply(parts, &precision);
  return precision;
}

// An output by number, and the caller's array for it.
struct OutputArray {
  std::size_t index;
  nb::object given;
  Destination destination;
};

// {name: shape}.
std::vector<InputShape> read_shapes(const Session& session, nb::handle shapes) {
  std::vector<InputShape> read;
  if (!shapes.is_valid() || shapes.is_none()) return read;
  if (!PyDict_Check(shapes.ptr()))
    raise_invalid("'shapes' is no dictionary", "write {name: shape}");
  for (const auto& [name, value] : snapshot(shapes)) {
    const std::string& input = session.inputs()[find_port(session.inputs(), name, "input")].name;
    Shape shape;
    if (!nb::try_cast(value, shape)) {
      raise_invalid(
          "the shape of input '" + input + "' is " + nb::cast<std::string>(nb::repr(value)),
          "give a tuple of dimensions");
    }
    read.push_back({input, std::move(shape)});
  }
  return read;
}

std::vector<OutputArray> find_destinations(const std::vector<PortInfo>& ports, nb::handle out) {
  std::vector<OutputArray> found;
  if (!out.is_valid() || out.is_none()) return found;
  if (!PyDict_Check(out.ptr())) raise_invalid("'out' is no dictionary", "write {name: array}");
  for (const auto& [name, array] : snapshot(out)) {
    const std::size_t i = find_port(ports, name, "output");
    found.push_back({i, nb::borrow(array), Destination(array, ports[i])});
  }
  return found;
}

nb::list run_fed(const Session& session, const std::vector<std::size_t>& wanted, const Feeds& feeds,
                 const Precision& precision, nb::handle out) {
  const std::vector<PortInfo>& ports = session.outputs();
  std::vector<OutputArray> own_arrays = find_destinations(ports, out);
  std::vector<Tensor> results =
      take(without_gil([&] { return session.run(feeds.tensors, precision); }));
  nb::list arrays;
  std::vector<nb::object> made(ports.size());  // an output may be asked for twice
  for (OutputArray& array : own_arrays) {
    array.destination.fill(results[array.index]);
    made[array.index] = std::move(array.given);
  }
  for (const std::size_t i : wanted) {
    if (!made[i].is_valid()) made[i] = to_numpy(std::move(results[i]));
    arrays.append(made[i]);
  }
  return arrays;
}

}  // namespace

void Feeds::add(const PortInfo& port, nb::handle value) {
  arrays.push_back(borrow_array(value, port));
  tensors.push_back({port.name, std::move(arrays.back().tensor)});
}

Feeds read_feed(const Session& session, nb::handle input_feed) {
  const std::vector<PortInfo>& ports = session.inputs();
  if (!PyDict_Check(input_feed.ptr())) {
    raise_invalid("'input_feed' is no dictionary",
                  "write {name: array}; the network's inputs are " + names_of(ports));
  }
  Feeds feeds;
  for (const auto& [name, value] : snapshot(input_feed)) {
    feeds.add(ports[find_port(ports, name, "input")], value);
  }
  return feeds;
}

const std::shared_ptr<const Session>& PySession::open() const {
  if (session_ == nullptr) raise_invalid("the session is closed", "load the model again");
  return session_;
}

nb::list PySession::run(nb::handle output_names, nb::handle input_feed, const RunOptions* options,
                        const PrecisionParts& parts, nb::handle out) const {
  const std::shared_ptr<const Session> session = open();
  const std::vector<std::size_t> wanted = find_outputs(session->outputs(), output_names);
  const Feeds feeds = read_feed(*session, input_feed);
  return run_fed(*session, wanted, feeds, precision_of(options, parts), out);
}

nb::object PySession::call(const nb::args& inputs, const nb::kwargs& named) const {
  const std::shared_ptr<const Session> session = open();
  const std::vector<PortInfo>& ports = session->inputs();
  if (inputs.size() > ports.size()) {
    raise_invalid(std::to_string(inputs.size()) + " inputs are given",
                  "the network's inputs are " + names_of(ports));
  }
  Feeds feeds;
  for (std::size_t i = 0; i < inputs.size(); ++i) feeds.add(ports[i], inputs[i]);
  PrecisionParts parts;
  parts.layers = nb::none();
  nb::object out = nb::none();
  for (const auto& [key, value] : named) {
    const std::string name = nb::cast<std::string>(key);
    if (name == "bits" || name == "abits") {
      int number = 0;
      if (!nb::try_cast(value, number)) raise_invalid("'" + name + "' is no integer", "give one");
      (name == "bits" ? parts.bits : parts.abits) = number;
    } else if (name == "layers") {
      parts.layers = nb::borrow(value);
    } else if (name == "out") {
      out = nb::borrow(value);
    } else {
      feeds.add(ports[find_port(ports, key, "input")], value);
    }
  }
  const nb::list arrays = run_fed(*session, find_outputs(session->outputs(), nb::none()), feeds,
                                  precision_of(nullptr, parts), out);
  if (arrays.size() == 1) return arrays[0];
  return nb::tuple(arrays);
}

void PySession::prepare(const PrecisionParts& parts, nb::handle shapes) const {
  plan(parts, shapes);
}

std::vector<PlanStep> PySession::plan(const PrecisionParts& parts, nb::handle shapes) const {
  const std::shared_ptr<const Session> session = open();
  const Precision precision = precision_of(nullptr, parts);
  const std::vector<InputShape> given = read_shapes(*session, shapes);
  return take(without_gil([&] { return session->plan(precision, given); }));
}

std::vector<StepTime> PySession::profile(nb::handle input_feed, const PrecisionParts& parts,
                                         int runs) const {
  const std::shared_ptr<const Session> session = open();
  const Precision precision = precision_of(nullptr, parts);
  const Feeds feeds = read_feed(*session, input_feed);
  return take(without_gil([&] { return session->profile(feeds.tensors, precision, runs); }));
}

std::int64_t PySession::weight_bytes(const PrecisionParts& parts) const {
  const std::shared_ptr<const Session> session = open();
  const Precision precision = precision_of(nullptr, parts);
  return take(without_gil([&] { return session->weight_bytes(precision); }));
}

double PySession::time_runs(nb::handle input_feed, const PrecisionParts& parts, int times) const {
  const std::shared_ptr<const Session> session = open();
  const Precision precision = precision_of(nullptr, parts);
  const Feeds feeds = read_feed(*session, input_feed);
  const auto start = std::chrono::steady_clock::now();
  check(without_gil([&] {
    for (int i = 0; i < times; ++i) {
      if (const auto made = session->run(feeds.tensors, precision); !made) return made.status();
    }
    return Status::ok();
  }));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace pbatch::python
