#include "pbatch/session.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "api/session_impl.h"
#include "base/fork.h"
#include "base/recent.h"
#include "base/thread_pool.h"
#include "cost/find_costs.h"
#include "device/choose_device.h"
#include "format/model_file.h"
#include "format/weights_checksum.h"
#include "graph/bit_operators.h"
#include "graph/fallbacks.h"
#include "graph/passes.h"
#include "graph/subgraphs.h"
#include "isa/isa.h"
#include "layout/bit_matrix.h"
#include "layout/layout.h"
#include "op/bits/bit_weights.h"
#include "pbatch/quantize.h"
#include "product/bit_gemm.h"
#include "run/check_inputs.h"
#include "run/check_precision.h"
#include "run/plan_steps.h"
#include "run/program.h"
#include "run/run_passes.h"
#include "run/simplify.h"
#include "run/step_times.h"

namespace pbatch {

namespace {

// Optional ones stand behind the others.
std::vector<PortInfo> describe_inputs(const Graph& graph) {
  std::vector<PortInfo> ports;
  for (const ValueId id : graph.inputs) ports.push_back(describe_port(graph, id));
  std::stable_partition(ports.begin(), ports.end(), [](const PortInfo& p) { return !p.optional; });
  return ports;
}

Result<std::shared_ptr<ThreadPool>> pool_for(const SessionOptions& options) {
  if (options.pool == nullptr) return make_thread_pool({options.threads, options.cpus});
  if (options.threads == 0 && options.cpus.empty()) return options.pool;
  return Status(ErrorCode::invalid_argument,
                "a session that shares a pool takes its threads and CPUs from there",
                "leave 'threads' and 'cpus' unset, or the pool out");
}

// A file may say what it likes.
int min_weight_bits_of(const Node& node) {
  const Result<std::int64_t> bits = node.int_attr(kMinWeightBits, 1);
  return bits ? static_cast<int>(std::clamp<std::int64_t>(*bits, 1, 16)) : 1;
}

LayerInfo describe_layer(const Node& node) {
  const BitMatrix& m = *node.matrix;
  LayerInfo layer;
  layer.name = node.name;
  layer.op_type = node.op_type;
  layer.rows = m.rows;
  layer.cols = m.cols;
  layer.group = m.group;
  layer.planes_stored = m.planes_stored;
  layer.planes_available = m.planes_available();
  layer.plane_bytes = plane_bytes(m.rows, m.cols);
  layer.scale_bytes = m.scale_bytes();
  layer.min_weight_bits = min_weight_bits_of(node);
  return layer;
}

// An embedding has no float form of its own; its rows are made from all planes.
std::int64_t layer_bytes(const Node& node, int weight_bits) {
  const BitMatrix& m = *node.matrix;
  if (weight_bits != 32) return stored_bytes(m, weight_bits);
  return node.op_type == "BitGather" ? stored_bytes(m, all_planes(m)) : m.rows * m.cols * 4;
}

// A layer before `layer` has its matrix and is one whose products read it.
bool is_counted_already(const std::vector<LayerInfo>& layers, const LayerInfo& layer) {
  if (layer.same_as.empty()) return false;
  return std::any_of(layers.begin(), layers.end(), [&](const LayerInfo& other) {
    const bool has_it = other.name == layer.same_as || other.same_as == layer.same_as;
    return has_it && &other < &layer && other.op_type != "BitGather";
  });
}

// Bytes that the int8 baseline reads less than float: one for four, and a scale per row.
std::int64_t saved_by_int8(const Graph& graph) {
  std::int64_t saved = 0;
  visit_graphs(graph, [&saved](const Graph& g) {
    for (const Node& node : g.nodes) {
      if (node.domain != kPbatchDomain || node.op_type != "Linear") continue;
      const Tensor* w = g.constant(node.inputs[1]);
      if (w != nullptr) saved += 3 * w->size() - 4 * w->dim(1);
    }
  });
  return saved;
}

}  // namespace

void Session::Impl::describe() {
  const Graph& graph = program.graph();
  inputs = describe_inputs(graph);
  for (const ValueId id : graph.outputs) outputs.push_back(describe_port(graph, id));
  std::map<const BitMatrix*, std::string> known;
  visit_nodes(graph, [&](const Node& node) {
    if (node.matrix == nullptr) return;
    layers.push_back(describe_layer(node));
    has_floors = has_floors || layers.back().min_weight_bits > 1;
    const auto [it, is_new] = known.emplace(node.matrix.get(), node.name);
    if (!is_new) layers.back().same_as = it->second;
  });
}

Status Session::Impl::choose_device(const Device& wanted) {
  PBATCH_ASSIGN_OR_RETURN(ChosenDevice chosen, pbatch::choose_device(program, wanted));
  device = std::move(chosen.info);
  on_device = std::move(chosen.network);
  if (on_device != nullptr) kernel_costs.clear();
  return Status::ok();
}

Result<std::vector<Tensor>> Session::Impl::run(std::span<const NamedTensor> given,
                                               const Precision& precision, StepTimings* timings) {
  if (feeds_optional(given)) {
    PBATCH_ASSIGN_OR_RETURN(const Session* other, taking_optional_inputs());
    return other->impl_->run(given, precision, timings);
  }
  PBATCH_RETURN_IF_ERROR(begin_run());
  const RunUnderWay until_the_end(under_way);
  Result<std::vector<Tensor>> ordered = check_inputs(program.graph(), given);
  if (!ordered) return ordered.status().in_file(program.graph().source_file);
  PBATCH_RETURN_IF_ERROR(check_arithmetic(precision));
  const std::shared_ptr<const Precision> bits = meant_by(precision);
  RunContext context{*pool, buffers, *bits, backend_for(*bits), timings};
  if (bits->arithmetic == Arithmetic::integers) {
    PBATCH_RETURN_IF_ERROR(check_precision(*bits));
    PBATCH_ASSIGN_OR_RETURN(const auto made, integers.get(program, context, *ordered));
    return made->run(*ordered, buffers, *pool);
  }
  if (on_device != nullptr) return run_on_device(context, *ordered);
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> compiled_plan,
                          compiled(context, *ordered));
  return compiled_plan->run(context, *ordered);
}

Result<std::vector<Tensor>> Session::Impl::run_on_device(RunContext& context,
                                                         std::span<const Tensor> ordered) {
  PBATCH_RETURN_IF_ERROR(check_precision(context.precision));
  const auto start = std::chrono::steady_clock::now();
  Result<std::vector<Tensor>> made = on_device->run(context, ordered);
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  if (context.timings != nullptr) context.timings->push_back({nullptr, {}, spent.count()});
  return made;
}

// A precision that has a plan was checked when that was made.
Result<std::shared_ptr<const Plan>> Session::Impl::compiled(const RunContext& context,
                                                            std::span<const Tensor> ordered) const {
  if (auto made = program.find_plan(context, ordered)) return made;
  PBATCH_RETURN_IF_ERROR(check_precision(context.precision));
  return program.plan(context, ordered);
}

// A lock that such a run holds would be waited for for ever.
Status Session::Impl::begin_run() {
  if (made_in != fork_generation()) {
    const std::lock_guard lock(fork_mutex());
    if (checked_in != fork_generation()) {  // before any run of this process is counted
      checked_in = fork_generation();
      left_running = under_way.load(std::memory_order_relaxed) > 0;
    }
  }
  if (!left_running) {
    under_way.fetch_add(1, std::memory_order_relaxed);
    return Status::ok();
  }
  return {ErrorCode::invalid_argument,
          "another thread was running this session when the process was forked",
          "load a session of its own in the forked process, or fork while none runs"};
}

// That its layers exist and have planes enough, those of a branch that is never taken, too.
Status Session::Impl::check_precision(const Precision& precision) const {
  if (layers.empty()) return Status::ok();
  const std::string& file = program.graph().source_file;
  if (Status s = check_widths(precision, layers); !s) return std::move(s).in_file(file);
  return program.visit([&](const Node& node, const Op&) {
    const int bits = precision.of(node.name).weight_bits;
    if (node.matrix == nullptr || bits == 32) return Status::ok();
    return check_at_hand(*node.matrix, bits).at_node(node.name).in_file(file);
  });
}

Precision Session::Impl::with_floors(const Precision& given) const {
  Precision result = given;
  if (given.all.weight_bits == 32) return result;
  for (const LayerInfo& layer : layers) {
    const int floor = std::min(layer.min_weight_bits, layer.planes_available);
    if (floor <= given.all.weight_bits) continue;
    result.layers.try_emplace(layer.name, LayerPrecision{floor, given.all.activation_bits});
  }
  return result;
}

std::shared_ptr<const Precision> Session::Impl::meant_by(const Precision& precision) {
  const auto borrowed = [](const Precision& p) {
    return std::shared_ptr<const Precision>(std::shared_ptr<void>(), &p);
  };
  if (layers.empty()) return borrowed(of_float);
  if (!has_floors) return borrowed(precision);
  const std::lock_guard lock(meant_mutex);
  if (auto found = meant.find(precision)) return found;
  auto made = std::make_shared<const Precision>(with_floors(precision));
  meant.add(precision, made);
  return made;
}

Result<std::vector<PlanStep>> Session::Impl::plan(const Precision& precision,
                                                  std::span<const InputShape> shapes) {
  if (feeds_optional(shapes)) {
    PBATCH_ASSIGN_OR_RETURN(const Session* other, taking_optional_inputs());
    return other->impl_->plan(precision, shapes);
  }
  PBATCH_RETURN_IF_ERROR(begin_run());
  const RunUnderWay until_the_end(under_way);
  bool assumed = false;
  const Result<std::vector<Tensor>> ordered = check_shapes(program.graph(), shapes, &assumed);
  if (!ordered) return ordered.status().in_file(program.graph().source_file);
  PBATCH_RETURN_IF_ERROR(check_arithmetic(precision));
  const std::shared_ptr<const Precision> bits = meant_by(precision);
  RunContext context{*pool, buffers, *bits, backend_for(*bits)};
  Result<std::vector<PlanStep>> steps = plan(context, *ordered);
  if (steps || !assumed || steps.status().code() != ErrorCode::shape_mismatch) return steps;
  return Status(ErrorCode::shape_mismatch,
                steps.status().message() + ", with 1 for the free dimensions of the inputs",
                "give the shapes that the inputs will have")
      .at_node(steps.status().node())
      .in_file(steps.status().file());
}

Result<std::vector<PlanStep>> Session::Impl::plan(RunContext& context,
                                                  std::span<const Tensor> ordered) {
  if (on_device != nullptr) {
    PBATCH_RETURN_IF_ERROR(check_precision(context.precision));
    return on_device->plan(context, ordered);
  }
  if (context.precision.arithmetic == Arithmetic::integers) {
    PBATCH_RETURN_IF_ERROR(check_precision(context.precision));
    const Precision plain = without_8s(context.precision);
    const RunContext in_floats{context.pool, context.buffers, plain, context.float_backend};
    PBATCH_ASSIGN_OR_RETURN(const auto floats, compiled(in_floats, ordered));
    PBATCH_ASSIGN_OR_RETURN(const auto integer, integers.get(program, context, ordered));
    return list_integer_steps(*integer, list_steps(*floats, in_floats));
  }
  PBATCH_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> made, compiled(context, ordered));
  return list_steps(*made, context);
}

// Whether `given`, of things with names, has an input that `program` does not take.
template <class Given>
bool Session::Impl::feeds_optional(const Given& given) const {
  if (!with_optional_inputs) return false;
  return std::any_of(given.begin(), given.end(), [this](const auto& named) {
    return std::any_of(inputs.begin(), inputs.end(), [&](const PortInfo& port) {
      return port.optional && port.name == named.name;
    });
  });
}

Result<const Session*> Session::Impl::taking_optional_inputs() {
  const std::lock_guard lock(fed_mutex);
  if (fed == nullptr) {
    Graph graph = *with_optional_inputs;
    PBATCH_RETURN_IF_ERROR(simplify(graph));
    PBATCH_ASSIGN_OR_RETURN(Session session, from_graph(std::move(graph), options));
    fed = std::make_unique<Session>(std::move(session));
  }
  return fed.get();
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::from_graph(Graph graph, const SessionOptions& options) {
  PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
  PBATCH_ASSIGN_OR_RETURN(std::shared_ptr<ThreadPool> pool, pool_for(options));
  PBATCH_RETURN_IF_ERROR(apply_run_passes(graph));
  PBATCH_ASSIGN_OR_RETURN(Program program, Program::build(std::move(graph)));
  auto impl = std::make_unique<Impl>(std::move(program), std::move(pool), options.float_backend);
  impl->describe();
  if (!impl->layers.empty()) {
    PBATCH_ASSIGN_OR_RETURN(CostSource source, find_kernel_costs(isa, options.kernel_costs));
    impl->kernel_costs = std::move(source.origin);
    KernelPolicy policy{isa, std::move(source.costs), impl->pool->threads()};
    for (const LayerInfo& layer : impl->layers) {
      if (layer.op_type != "BitGather" && !is_counted_already(impl->layers, layer)) {
        policy.network_plane_bytes += layer.plane_bytes;
      }
    }
    impl->program.choose_kernels_by(policy);
  }
  PBATCH_RETURN_IF_ERROR(impl->choose_device(options.device));
  return Session(std::move(impl));
}

Result<Session> Session::load(const std::string& path, const SessionOptions& options) {
  PBATCH_ASSIGN_OR_RETURN(Graph graph, load_model(path));
  return from_loaded(std::move(graph), options);
}

Result<Session> Session::load_bytes(std::string_view model, std::string_view data,
                                    const SessionOptions& options) {
  PBATCH_ASSIGN_OR_RETURN(Graph graph, load_model_bytes(model, data));
  return from_loaded(std::move(graph), options);
}

Result<Session> Session::from_loaded(Graph graph, const SessionOptions& options) {
  bool is_float = true;
  visit_nodes(graph, [&](const Node& n) { is_float = is_float && n.matrix == nullptr; });
  if (!is_float) return from_graph(std::move(graph), options);
  std::optional<Graph> whole;
  if (has_fallbacks(graph)) {
    whole = graph;
    PBATCH_RETURN_IF_ERROR(widen_to_float32(*whole));
    freeze_fallbacks(graph, Freeze::all);
  }
  PBATCH_RETURN_IF_ERROR(simplify(graph));
  PBATCH_ASSIGN_OR_RETURN(Session session, from_graph(std::move(graph), options));
  if (whole) {
    Impl& impl = *session.impl_;
    impl.inputs = describe_inputs(*whole);
    impl.with_optional_inputs = std::move(whole);
    impl.options = options;
    impl.options.pool = impl.pool;
    impl.options.threads = 0;
    impl.options.cpus.clear();
  }
  return session;
}

const std::vector<PortInfo>& Session::inputs() const { return impl_->inputs; }
const std::vector<PortInfo>& Session::outputs() const { return impl_->outputs; }
const std::vector<LayerInfo>& Session::layers() const { return impl_->layers; }
const DeviceInfo& Session::device() const { return impl_->device; }
const std::vector<std::string>& Session::files() const { return impl_->program.graph().files; }
int Session::threads() const { return impl_->pool->threads(); }
const std::string& Session::kernel_costs() const { return impl_->kernel_costs; }
std::string Session::float_source() const { return float_source_of(impl_->program.graph()); }
std::string Session::weights_checksum() const {
  return checksum_of_weights(impl_->program.graph());
}

int Session::max_weight_bits() const {
  if (impl_->layers.empty()) return 0;
  int bits = 16;
  for (const LayerInfo& layer : impl_->layers) bits = std::min(bits, layer.planes_available);
  return bits;
}

Status Session::prepare(const Precision& precision, std::span<const InputShape> shapes) const {
  return impl_->plan(precision, shapes).status();
}

Result<std::vector<Tensor>> Session::run(std::span<const NamedTensor> inputs,
                                         const Precision& precision) const {
  return impl_->run(inputs, precision, nullptr);
}

Result<std::vector<StepTime>> Session::profile(std::span<const NamedTensor> inputs,
                                               const Precision& precision, int runs) const {
  if (runs < 1) {
    return Status(ErrorCode::invalid_argument, std::to_string(runs) + " runs give no times",
                  "ask for one at least");
  }
  if (precision.arithmetic == Arithmetic::integers) {
    return Status(ErrorCode::unsupported, "steps of integer arithmetic are not timed one by one",
                  "time whole runs, or profile without integer arithmetic");
  }
  PBATCH_RETURN_IF_ERROR(impl_->run(inputs, precision, nullptr).status());
  StepTimes times;
  for (int i = 0; i < runs; ++i) {
    StepTimings timings;
    PBATCH_RETURN_IF_ERROR(impl_->run(inputs, precision, &timings).status());
    times.add(timings);
  }
  return times.medians();
}

Result<std::vector<PlanStep>> Session::plan(const Precision& precision,
                                            std::span<const InputShape> shapes) const {
  return impl_->plan(precision, shapes);
}

std::int64_t Session::prepared_bytes() const {
  std::int64_t bytes = 0;
  std::set<const BitMatrix*> counted;
  visit_nodes(impl_->program.graph(), [&](const Node& node) {
    if (node.matrix == nullptr || !counted.insert(node.matrix.get()).second) return;
    bytes += MatrixCache::shared(node.matrix)->bytes();
  });
  return bytes;
}

Result<std::int64_t> Session::weight_bytes(const Precision& given) const {
  PBATCH_RETURN_IF_ERROR(impl_->check_precision(given));
  const Precision precision = *impl_->meant_by(given);
  const Graph& graph = impl_->program.graph();
  std::int64_t bytes = 0;
  std::set<const void*> counted;  // subgraphs share constants, layers matrices
  visit_graphs(graph, [&](const Graph& g) {
    for (const Value& value : g.values) {
      if (!value.constant || !counted.insert(value.constant->raw()).second) continue;
      bytes += static_cast<std::int64_t>(value.constant->bytes());
    }
    for (const Node& node : g.nodes) {
      if (node.matrix == nullptr || !counted.insert(node.matrix.get()).second) continue;
      bytes += layer_bytes(node, precision.of(node.name).weight_bits);
    }
  });
  if (impl_->float_backend == FloatBackend::onednn_int8) bytes -= saved_by_int8(graph);
  return bytes;
}

}  // namespace pbatch
