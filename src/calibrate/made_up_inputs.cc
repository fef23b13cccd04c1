#include "calibrate/made_up_inputs.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

#include "calibrate/draws.h"
#include "calibrate/language_model.h"
#include "feed/free_dims.h"
#include "feed/step_ports.h"
#include "layout/bit_matrix.h"

namespace pbatch {
namespace {

constexpr double kMostDrawWork = 6e10;  // multiply-adds of a draw of inputs
constexpr double kEnoughVectors = 16;   // for each column of the matrix with the fewest
constexpr std::int64_t kStreams = 64;   // of text
constexpr std::int64_t kTextSteps = 400;
constexpr std::int64_t kLeastTextSteps = 32;
constexpr int kMostRuns = 1024;
constexpr std::int64_t kTokenBatch = 16;
constexpr double kNoise = 3;            // standard deviation of float inputs
constexpr double kMostTrialWork = 2e9;  // multiply-adds of a run whose size may be any

bool is_enough(const MomentCollector& collector) {
  return collector.work() > collector.most_work(kMostDrawWork) ||
         collector.least_vectors() > kEnoughVectors;
}

Status write_text(NetworkRunner& runner, const NetworkKind& kind, std::uint64_t seed,
                  MomentCollector& collector) {
  PBATCH_ASSIGN_OR_RETURN(TokenStepper stepper, TokenStepper::create(runner, kind, kStreams));
  Draws draws(seed);
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(stepper.streams()));
  const std::int64_t steps = kTextSteps * kStreams / stepper.streams();
  for (std::int64_t& token : tokens) token = draws.below(stepper.vocabulary());
  runner.watch(&collector);
  for (std::int64_t t = 0; t < steps; ++t) {
    if (t >= kLeastTextSteps && collector.work() > collector.most_work(kMostDrawWork)) break;
    PBATCH_ASSIGN_OR_RETURN(const Tensor logits, stepper.step(tokens));
    for (std::size_t s = 0; s < tokens.size(); ++s) {
      tokens[s] =
          draw_token(logits.data<float>() + static_cast<std::int64_t>(s) * stepper.vocabulary(),
                     stepper.vocabulary(), draws.uniform());
    }
  }
  return Status::ok();
}

// What sound is made of: noise whose spectrum falls from some frequency on, at some loudness. Both
// stay for a while, since the states of a network follow them.
class SoundNoise {
 public:
  void fill(float* samples, std::int64_t rows, std::int64_t length, Draws& draws) {
    if (draws.below(kStay) == 0) {
      kept_ = kKept[draws.below(std::size(kKept))];
      loudness_ = kLoudness[draws.below(std::size(kLoudness))];
    }
    const double fresh = std::sqrt(1 - kept_ * kept_) * loudness_;
    for (std::int64_t r = 0; r < rows; ++r) {
      double sample = loudness_ * draws.normal();
      for (std::int64_t i = 0; i < length; ++i) {
        samples[r * length + i] = static_cast<float>(sample);
        sample = kept_ * sample + fresh * draws.normal();
      }
    }
  }

 private:
  static constexpr std::int64_t kStay = 16;                     // runs on average
  static constexpr double kKept[] = {0, 0.5, 0.9, 0.97, 0.99};  // of the sample before
  static constexpr double kLoudness[] = {1, 0.3, 0.1, 0.03, 0.01};
  double kept_ = kKept[2], loudness_ = kLoudness[2];
};

// One input of a run. `otherwise`: what integers are that look up nothing.
Result<Tensor> made_up(const PortInfo& port, std::int64_t table_rows, std::int64_t otherwise,
                       const Shape& shape, Draws& draws) {
  PBATCH_ASSIGN_OR_RETURN(Tensor t, Tensor::create(port.dtype, shape));
  const std::int64_t n = t.size();
  if (port.dtype == DType::f32) {
    for (std::int64_t i = 0; i < n; ++i) {
      t.mutable_data<float>()[i] = static_cast<float>(kNoise * draws.normal());
    }
    return t;
  }
  const auto fill = [&](auto* values) {
    using T = std::remove_pointer_t<decltype(values)>;
    for (std::int64_t i = 0; i < n; ++i) {
      // Tables of one or two rows tell kinds of tokens apart.
      values[i] = table_rows > 2   ? static_cast<T>(draws.below(table_rows))
                  : table_rows > 0 ? T{0}
                                   : static_cast<T>(otherwise);
    }
  };
  if (port.dtype == DType::i64) {
    fill(t.mutable_data<std::int64_t>());
  } else if (port.dtype == DType::i32) {
    fill(t.mutable_data<std::int32_t>());
  } else if (port.dtype == DType::boolean) {
    std::fill_n(static_cast<char*>(t.mutable_raw()), n, '\1');
  } else {
    return Status(ErrorCode::unsupported,
                  std::string("nothing is made up for inputs of ") + dtype_name(port.dtype), "");
  }
  return t;
}

// By matrices, each size once.
std::vector<std::int64_t> sizes_read(const Graph& graph) {
  std::vector<LayerInfo> layers;
  for (const Node& node : graph.nodes) {
    if (node.matrix != nullptr) layers.emplace_back().cols = node.matrix->cols;
  }
  return sizes_read_by(layers);
}

// What a run multiplies.
class Multiplied final : public InputObserver {
 public:
  void observe(const BitMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
               const float* /*x*/, std::int64_t count, std::int64_t /*ld*/) override {
    const double size = static_cast<double>(std::min(row_end, matrix.rows) - row_begin) *
                        static_cast<double>(matrix.cols);
    work += size * static_cast<double>(count);
    if (seen_.insert({&matrix, row_begin}).second) weights += size;
  }
  double work = 0;     // multiply-adds
  double weights = 0;  // each once

 private:
  std::set<std::pair<const BitMatrix*, std::int64_t>> seen_;
};

class MadeUp {
 public:
  MadeUp(NetworkRunner& runner, const NetworkKind& kind, std::uint64_t seed)
      : runner_(runner),
        kind_(kind),
        draws_(seed),
        settings_{std::vector<std::int64_t>(runner.inputs().size(), 1), {}, 1},
        dims_(runner.inputs(), {}, 0, sizes_read(runner.graph())) {
    const FedInput floats{"input", [](const PortInfo& port) { return port.dtype == DType::f32; }};
    auto ports = find_step_ports(runner.inputs(), runner.outputs(), floats, {}, /*constants=*/true);
    if (ports) states_ = std::move(ports->states);
  }

  // Sizes for free dimensions, and values of numbers that branches hang on, with which the network
  // runs. Of the values those with which a run multiplies most weights: a branch that takes a
  // sampling rate, say, is more likely meant the larger it is.
  Status find() {
    Status status = find_sizes();
    for (std::size_t i = 0; i < runner_.inputs().size(); ++i) {
      if (kind_.compared[i].empty() || kind_.table_rows[i] > 0 || kind_.is_length[i]) continue;
      double most = 0;
      if (status) {
        PBATCH_ASSIGN_OR_RETURN(const Multiplied usual, try_run());
        most = usual.weights;
      }
      for (const std::int64_t value : kind_.compared[i]) {
        const Settings before = settings_;
        settings_.values[i] = value;
        Status fits = find_sizes();
        double weights = 0;
        if (fits) {
          PBATCH_ASSIGN_OR_RETURN(const Multiplied found, try_run());
          weights = found.weights;
        }
        if (fits && (!status || weights > most)) {
          most = weights;
          status = Status::ok();
        } else {
          settings_ = before;
        }
      }
    }
    reset();
    return status;
  }

  Result<std::vector<Tensor>> run() {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs, next_inputs());
    PBATCH_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, runner_.run(inputs));
    now_.clear();
    for (const StatePair& pair : states_) now_.push_back(outputs[pair.output]);
    return outputs;
  }

 private:
  // From zero states, and nobody else is told.
  Result<Multiplied> try_run() {
    reset();
    PBATCH_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs, next_inputs());
    Multiplied seen;
    PBATCH_RETURN_IF_ERROR(runner_.run(inputs, &seen).status());
    return seen;
  }

  // Sizes with which the network runs: the first of those tried that serve, a batch of some items
  // and some steps; if one alone serves to be more than a few, the largest of them that a trial can
  // pay.
  Status find_sizes() {
    std::vector<FreeDims::Sizes> all = dims_.candidates();
    // Some of everything says most of a network; sizes come in the order of their likelihood.
    const auto is_ample = [](const FreeDims::Sizes& sizes) {
      return std::all_of(sizes.begin(), sizes.end(),
                         [](const auto& size) { return size.second >= kTokenBatch; });
    };
    std::stable_partition(all.begin(), all.end(), is_ample);
    Status last;
    for (const FreeDims::Sizes& sizes : all) {
      last = serve(sizes);
      if (last) break;
    }
    reset();
    if (last && !is_ample(settings_.sizes)) PBATCH_RETURN_IF_ERROR(grow(std::move(all)));
    return last;
  }

  // Whether the network runs at these sizes.
  Status serve(const FreeDims::Sizes& sizes) {
    settings_.sizes = sizes;
    Status last;
    // Sequences of full length, whichever dimension it is.
    for (settings_.length = most_steps(); settings_.length > 0; settings_.length /= 2) {
      reset();
      last = run().status();
      if (last || !takes_lengths()) break;
    }
    return last;
  }

  // Sound that is hardly longer than its window is mostly padding; a sequence of one has no others.
  Status grow(std::vector<FreeDims::Sizes> all) {
    const auto total = [](const FreeDims::Sizes& sizes) {
      double product = 1;
      for (const auto& size : sizes) product *= static_cast<double>(size.second);
      return product;
    };
    std::stable_sort(all.begin(), all.end(),
                     [&](const auto& a, const auto& b) { return total(a) < total(b); });
    PBATCH_ASSIGN_OR_RETURN(Multiplied best, try_run());
    for (const FreeDims::Sizes& sizes : all) {
      const double growth = total(sizes) / total(settings_.sizes);
      // Attention's grows with the square.
      if (growth <= 1 || best.work * growth * growth > kMostTrialWork) continue;
      const Settings kept = settings_;
      if (serve(sizes)) {
        PBATCH_ASSIGN_OR_RETURN(best, try_run());
      } else {
        settings_ = kept;
      }
    }
    reset();
    return Status::ok();
  }

  Result<std::vector<NamedTensor>> next_inputs() {
    std::vector<NamedTensor> inputs;
    const std::vector<PortInfo>& ports = runner_.inputs();
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (const Tensor* const state = state_of(i)) {
        inputs.push_back({ports[i].name, *state});
        continue;
      }
      PBATCH_ASSIGN_OR_RETURN(Tensor t,
                              made_up(ports[i], kind_.table_rows[i],
                                      kind_.is_length[i] ? settings_.length : settings_.values[i],
                                      dims_.shape(ports[i], settings_.sizes), draws_));
      if (kind_.is_waveform[i] && ports[i].dtype == DType::f32 && t.size() > 0) {
        const std::int64_t length = t.shape().back();
        sound_.fill(t.mutable_data<float>(), t.size() / length, length, draws_);
      }
      if (is_state(i)) std::fill_n(static_cast<char*>(t.mutable_raw()), t.bytes(), '\0');
      inputs.push_back({ports[i].name, std::move(t)});
    }
    return inputs;
  }

  void reset() { now_.clear(); }

  bool is_state(std::size_t input) const {
    return std::any_of(states_.begin(), states_.end(),
                       [&](const StatePair& pair) { return pair.input == input; });
  }
  const Tensor* state_of(std::size_t input) const {
    for (std::size_t i = 0; i < now_.size(); ++i) {
      if (states_[i].input == input) return &now_[i];
    }
    return nullptr;
  }

  bool takes_lengths() const {
    return std::find(kind_.is_length.begin(), kind_.is_length.end(), true) != kind_.is_length.end();
  }
  // Of the inputs that look up something.
  std::int64_t most_steps() const {
    std::int64_t most = 1;
    for (std::size_t i = 0; i < runner_.inputs().size(); ++i) {
      if (kind_.table_rows[i] == 0) continue;
      for (const std::int64_t d : dims_.shape(runner_.inputs()[i], settings_.sizes))
        most = std::max(most, d);
    }
    return most;
  }

  NetworkRunner& runner_;
  const NetworkKind& kind_;
  Draws draws_;
  struct Settings {
    std::vector<std::int64_t> values;  // of integers that look up nothing and are no lengths
    FreeDims::Sizes sizes;
    std::int64_t length = 1;  // of sequences
  };
  Settings settings_;
  SoundNoise sound_;
  FreeDims dims_;
  std::vector<StatePair> states_;
  std::vector<Tensor> now_;
};

}  // namespace

const char* statistics_name(Statistics statistics) {
  switch (statistics) {
    case Statistics::own_text:
      return "its own text";
    case Statistics::random_tokens:
      return "random tokens";
    case Statistics::noise:
      return "noise";
    case Statistics::samples:
      break;
  }
  return "samples";
}

Result<Statistics> choose_statistics(const NetworkRunner& runner, const NetworkKind& kind,
                                     bool forced) {
  bool takes_tokens = false, takes_floats = false;
  for (std::size_t i = 0; i < runner.inputs().size(); ++i) {
    takes_tokens = takes_tokens || kind.table_rows[i] > 2;
    takes_floats = takes_floats || runner.inputs()[i].dtype == DType::f32;
  }
  if (takes_tokens) {
    NetworkRunner& tried = const_cast<NetworkRunner&>(runner);
    if (TokenStepper::create(tried, kind, kStreams)) return Statistics::own_text;
    return Statistics::random_tokens;
  }
  if (takes_floats && (kind.recurrent || forced)) return Statistics::noise;
  return Status(ErrorCode::unsupported,
                "noise would mislead it: its inputs are floats and it has no recurrent layer",
                "give --samples for compensated codes");
}

Status feed_made_up(NetworkRunner& runner, const NetworkKind& kind, Statistics statistics,
                    std::uint64_t seed, MomentCollector& collector) {
  if (statistics == Statistics::own_text) return write_text(runner, kind, seed, collector);
  MadeUp inputs(runner, kind, seed);
  runner.watch(nullptr);
  PBATCH_RETURN_IF_ERROR(inputs.find());
  runner.watch(&collector);
  for (int i = 0; i < kMostRuns && !is_enough(collector); ++i) {
    PBATCH_RETURN_IF_ERROR(inputs.run().status());
  }
  return Status::ok();
}

}  // namespace pbatch
