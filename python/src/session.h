// Session: a loaded network. pbatch/_session.py makes InferenceSession of it.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "array.h"
#include "pbatch/session.h"
#include "precision.h"
#include "run_options.h"

namespace pbatch::python {

/// Arrays of the caller, held while a run reads them.
struct Feeds {
  std::vector<BorrowedArray> arrays;
  std::vector<NamedTensor> tensors;

  void add(const PortInfo& port, nanobind::handle value);
};

/// {name: array}. Raises for anything else.
Feeds read_feed(const Session& session, nanobind::handle input_feed);

class PySession {
 public:
  explicit PySession(Session session) : session_(std::make_shared<Session>(std::move(session))) {}

  /// The arguments are those of onnxruntime's run(), and what is there of a precision.
  nanobind::list run(nanobind::handle output_names, nanobind::handle input_feed,
                     const RunOptions* options, const PrecisionParts& precision,
                     nanobind::handle out) const;
  nanobind::object call(const nanobind::args& inputs, const nanobind::kwargs& named) const;
  void prepare(const PrecisionParts& precision, nanobind::handle shapes) const;
  std::vector<PlanStep> plan(const PrecisionParts& precision, nanobind::handle shapes) const;
  std::vector<StepTime> profile(nanobind::handle input_feed, const PrecisionParts& precision,
                                int runs) const;
  std::int64_t weight_bytes(const PrecisionParts& precision) const;

  /// Seconds that `times` runs take in C++, for the benchmark of what Python adds.
  double time_runs(nanobind::handle input_feed, const PrecisionParts& precision, int times) const;

  /// Runs that are under way in other threads go on.
  void close() { session_.reset(); }
  /// Raises if it was closed. A caller that lets go of the GIL holds the pointer.
  const std::shared_ptr<const Session>& open() const;

 private:
  std::shared_ptr<const Session> session_;
};

}  // namespace pbatch::python
