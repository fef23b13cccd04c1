#include "tools/eval/evaluate.h"

#include <algorithm>
#include <cmath>

#include "feed/convert.h"
#include "feed/step_ports.h"

namespace pbatch {
namespace {

constexpr std::int64_t kDefaultBatch = 64;
constexpr std::int64_t kTimedItems = 64;  // distinct inputs that timing goes through

bool nearly_equal(const Tensor& a, std::int64_t a_at, const Tensor& b, std::int64_t count) {
  double scale = 0, worst = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double x = element_as_double(a, a_at + i), y = element_as_double(b, i);
    scale = std::max(scale, std::fabs(y));
    if (std::isnan(x) != std::isnan(y)) return false;
    if (!std::isnan(x)) worst = std::max(worst, std::fabs(x - y));
  }
  return worst <= 1e-3 * scale + 1e-6;
}

// Whether two items in one run give what they give one by one: a network may
// declare a free batch and still fix it inside, or mix the items of a batch.
Result<bool> takes_batches(const Contender& c, const Feed& feed, std::size_t output) {
  PBATCH_ASSIGN_OR_RETURN(const auto pair, feed.inputs(0, 2, 2));
  const auto both = c.session->run(pair, c.precision);
  if (!both) return false;
  for (std::int64_t i = 0; i < 2; ++i) {
    PBATCH_ASSIGN_OR_RETURN(const auto one, feed.inputs(i, 1, 1));
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> alone, c.session->run(one, c.precision));
    const Tensor& joint = (*both)[output];
    const std::int64_t size = alone[output].size();
    if (joint.size() != 2 * size) return false;
    if (!nearly_equal(joint, i * size, alone[output], size)) return false;
  }
  return true;
}

Result<std::int64_t> choose_batch(const Contender& c, const Feed& feed, std::size_t output,
                                  std::int64_t asked, std::int64_t items) {
  if (feed.batch() > 0) {
    if (asked > 0 && asked != feed.batch()) {
      return Status(ErrorCode::invalid_argument,
                    "the network fixes its batch at " + std::to_string(feed.batch()),
                    "leave --batch out");
    }
    return feed.batch();
  }
  const std::int64_t batch = std::min(asked > 0 ? asked : kDefaultBatch, items);
  if (batch < 2) return 1;
  PBATCH_ASSIGN_OR_RETURN(const bool works, takes_batches(c, feed, output));
  if (!works && asked > 1) {
    return Status(ErrorCode::unsupported,
                  "the network does not give a batch of items the answers it gives them alone",
                  "use --batch 1");
  }
  return works ? batch : 1;
}

Result<Score> make_score(const Contender& c, const Feed& feed, std::size_t index,
                         std::int64_t batch, const Tensor& labels) {
  PBATCH_ASSIGN_OR_RETURN(const auto first, feed.inputs(0, 1, batch));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, c.session->run(first, c.precision));
  const Tensor& output = outputs[index];
  if (output.size() == 0 || output.size() % batch != 0) {
    return Status(
        ErrorCode::shape_mismatch,
        "output '" + c.session->outputs()[index].name + "' cannot be divided among the items",
        "use 'pbatch compare' for this network");
  }
  const std::int64_t classes = output.rank() == 0 ? 1 : output.dim(output.rank() - 1);
  return Score::create(labels, output.dtype(), output.size() / batch,
                       (output.size() / batch) % classes == 0 ? classes : 1);
}

}  // namespace

Result<Evaluation> evaluate(std::span<const Contender> contenders, const Dataset& dataset,
                            const EvalOptions& options, Progress& progress) {
  const Session& session = *contenders[0].session;
  PBATCH_ASSIGN_OR_RETURN(const Feed feed, Feed::create(session.inputs(), dataset.data));
  std::size_t output = 0;
  if (!options.output.empty()) {
    PBATCH_ASSIGN_OR_RETURN(output, find_named_port(session.outputs(), options.output, "output"));
  }
  for (const Contender& c : contenders) {
    if (output < c.session->outputs().size()) continue;
    return Status(ErrorCode::invalid_argument, "a network has no such output to score",
                  "give --float the network that the model was made from");
  }
  const std::int64_t held = feed.items();
  if (dataset.labels.rank() == 0 || dataset.labels.dim(0) != held) {
    return Status(ErrorCode::shape_mismatch,
                  "the data holds " + std::to_string(held) + " items but the labels have shape " +
                      shape_to_string(dataset.labels.shape()),
                  "give data and labels of the same items");
  }
  Evaluation result;
  result.items = options.limit > 0 ? std::min(options.limit, held) : held;
  result.input_note = feed.note();
  PBATCH_ASSIGN_OR_RETURN(result.batch,
                          choose_batch(contenders[0], feed, output, options.batch, result.items));
  const std::int64_t batch = result.batch;
  const bool padded = feed.batch() > 0;
  PBATCH_ASSIGN_OR_RETURN(const Score blank,
                          make_score(contenders[0], feed, output, batch, dataset.labels));
  result.metric = blank.metric();
  PBATCH_ASSIGN_OR_RETURN(result.sample,
                          feed.inputs(0, std::min(batch, result.items),
                                      padded ? batch : std::min(batch, result.items)));

  const auto runs = static_cast<std::int64_t>(contenders.size());
  progress.begin(metric_name(result.metric), runs * result.items);
  for (const Contender& c : contenders) {
    Score score = blank;
    for (std::int64_t at = 0; at < result.items; at += batch) {
      const std::int64_t count = std::min(batch, result.items - at);
      PBATCH_ASSIGN_OR_RETURN(const auto inputs, feed.inputs(at, count, padded ? batch : count));
      PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs,
                              c.session->run(inputs, c.precision));
      PBATCH_RETURN_IF_ERROR(score.add(outputs[output], at, count));
      progress.step(count);
    }
    result.rows.push_back({score.value(), {}});
  }

  const std::int64_t per_run = padded ? batch : 1;
  InputSets sets;
  for (std::int64_t i = 0; i < std::min(kTimedItems, result.items); ++i) {
    PBATCH_ASSIGN_OR_RETURN(auto inputs, feed.inputs(i, 1, per_run));
    sets.push_back(std::move(inputs));
  }
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Cost> costs,
                          measure_costs(contenders, sets, per_run, options.timing, progress));
  for (std::size_t i = 0; i < costs.size(); ++i) result.rows[i].cost = costs[i];
  return result;
}

}  // namespace pbatch
