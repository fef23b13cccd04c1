// Cascade: pbatch/_cascade.py makes the class that users see of it.
#include "pbatch/cascade.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <exception>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings.h"
#include "gil.h"
#include "session.h"
#include "status.h"

namespace nb = nanobind;

namespace pbatch::python {
namespace {

// What the caller's margin function raised in the call of this thread.
thread_local std::exception_ptr raised;

Result<std::vector<double>> call_margin(const nb::object& function,
                                        std::span<const Tensor> outputs) {
  const nb::gil_scoped_acquire gil;
  try {
    nb::list arrays;
    for (const Tensor& output : outputs) arrays.append(to_numpy(output));
    const nb::object margins = nb::module_::import_("numpy").attr("asarray")(
        function(arrays), nb::module_::import_("numpy").attr("float64"));
    return nb::cast<std::vector<double>>(margins.attr("ravel")().attr("tolist")());
  } catch (...) {
    raised = std::current_exception();
    return Status(ErrorCode::internal, "the margin's function raised");
  }
}

/// The value, or what the margin's function raised, or the error.
template <class T>
T take_called(Result<T>&& result) {
  if (const std::exception_ptr held = std::exchange(raised, nullptr)) std::rethrow_exception(held);
  return take(std::move(result));
}

class PyCascade {
 public:
  PyCascade(const PySession& session,
            const std::vector<std::tuple<int, int, double>>& bits_and_thresholds, nb::dict layers,
            int kind, double center, std::string output, nb::object function,
            std::map<std::string, int> batch_axes, std::int64_t batch)
      : session_(session.open()) {
    CascadeOptions options;
    options.margin.kind = static_cast<MarginKind>(kind);
    options.margin.center = center;
    options.margin.output = std::move(output);
    options.batch_axes = std::move(batch_axes);
    options.batch = batch;
    if (!function.is_none()) {
      // Released where the GIL is held, whoever lets go of it last.
      const std::shared_ptr<nb::object> held(new nb::object(std::move(function)),
                                             [](nb::object* object) {
                                               const nb::gil_scoped_acquire gil;
                                               delete object;
                                             });
      options.margin.function = [held](std::span<const Tensor> outputs, std::int64_t) {
        return call_margin(*held, outputs);
      };
    }
    std::vector<CascadeStage> stages;
    for (const auto& [bits, abits, threshold] : bits_and_thresholds) {
      CascadeStage stage{Precision::bits(bits, abits), threshold};
      apply({bits, abits, layers}, &stage.precision);
      stages.push_back(std::move(stage));
    }
    cascade_ = std::make_shared<const Cascade>(
        take(Cascade::create(*session_, std::move(stages), std::move(options))));
  }

  nb::tuple run(nb::handle input_feed) const {
    const std::shared_ptr<const Cascade> cascade = cascade_;
    const Feeds feeds = read_feed(*session_, input_feed);
    CascadeRun run = take_called(without_gil([&] { return cascade->run(feeds.tensors); }));
    nb::list outputs, stages;
    for (Tensor& output : run.outputs) outputs.append(to_numpy(std::move(output)));
    for (const StageReport& s : run.stages) {
      stages.append(nb::make_tuple(s.items, s.answered, s.seconds));
    }
    return nb::make_tuple(outputs, run.stage_of_item, stages);
  }

  nb::tuple calibrate(nb::handle input_feed, double agreement, double confidence) {
    const Feeds feeds = read_feed(*session_, input_feed);
    auto changed = std::make_shared<Cascade>(*cascade_);  // runs of other threads keep theirs
    const CascadeCalibration made = take_called(without_gil([&] {
      return changed->calibrate(feeds.tensors, {agreement, confidence});
    }));
    cascade_ = std::move(changed);
    nb::list stages;
    for (const StageCalibration& s : made.stages) {
      stages.append(nb::make_tuple(s.threshold, s.above, s.disagree, s.disagree_bound, s.answered));
    }
    return nb::make_tuple(made.items, stages, made.agreement, made.agreement_bound);
  }

  std::vector<double> thresholds() const {
    std::vector<double> list;
    for (const CascadeStage& stage : cascade_->stages()) list.push_back(stage.threshold);
    list.pop_back();
    return list;
  }

 private:
  std::shared_ptr<const Session> session_;
  std::shared_ptr<const Cascade> cascade_;
};

}  // namespace

void bind_cascade(nb::module_& m) {
  nb::class_<PyCascade> c(m, "Cascade",
                          "Narrow runs first, wide ones for the items that are unsure.");
  c.def(nb::init<const PySession&, const std::vector<std::tuple<int, int, double>>&, nb::dict, int,
                 double, std::string, nb::object, std::map<std::string, int>, std::int64_t>(),
        nb::arg("session"), nb::arg("stages"), nb::arg("layers"), nb::arg("kind"),
        nb::arg("center"), nb::arg("output"), nb::arg("function").none(), nb::arg("batch_axes"),
        nb::arg("batch"),
        nb::sig("def __init__(self, session: Session, "
                "stages: collections.abc.Sequence[tuple[int, int, float]], "
                "layers: dict[str, int | tuple[int, int]], kind: int, center: float, output: str, "
                "function: typing.Any, batch_axes: dict[str, int], batch: int) -> None"));
  c.def("_run", &PyCascade::run, nb::arg("input_feed"),
        nb::sig("def _run(self, input_feed: dict[str, typing.Any]) -> "
                "tuple[list[numpy.ndarray], list[int], list[tuple[int, int, float]]]"));
  c.def("_calibrate", &PyCascade::calibrate, nb::arg("input_feed"), nb::arg("agreement"),
        nb::arg("confidence"),
        nb::sig("def _calibrate(self, input_feed: dict[str, typing.Any], agreement: float, "
                "confidence: float) -> "
                "tuple[int, list[tuple[float, int, int, float, int]], float, float]"));
  c.def_prop_ro("thresholds", &PyCascade::thresholds,
                "Margins above which the stages answer; of all but the last.");
}

}  // namespace pbatch::python
