#include "report/evaluate.h"

#include <algorithm>
#include <cmath>

#include "report/convert.h"
#include "report/item_fit.h"

namespace pbatch {
namespace {

constexpr std::int64_t kDefaultBatch = 64;
constexpr std::int64_t kTimedItems = 64;  // distinct inputs that timing goes through

struct Feed {
  Tensor data;  // of the input's type
  ItemFit fit;
  std::string name, note;

  Result<std::vector<NamedTensor>> inputs(std::int64_t first, std::int64_t count,
                                          std::int64_t n) const {
    PBATCH_ASSIGN_OR_RETURN(Tensor t, take_items(data, first, count, n, fit));
    return std::vector<NamedTensor>{{name, std::move(t)}};
  }
};

Result<Feed> make_feed(const Session& session, const Dataset& dataset) {
  if (session.inputs().size() != 1) {
    return Status(ErrorCode::unsupported,
                  "the network has " + std::to_string(session.inputs().size()) +
                      " inputs where eval feeds one",
                  "use 'pbatch compare' with an --input for each");
  }
  if (dataset.data.rank() == 0 || dataset.data.dim(0) == 0 || dataset.data.size() == 0) {
    return Status(ErrorCode::invalid_argument, "the data holds no items",
                  "give an array whose first dimension is the item");
  }
  const PortInfo& port = session.inputs()[0];
  const Shape& shape = dataset.data.shape();
  Feed feed;
  feed.name = port.name;
  PBATCH_ASSIGN_OR_RETURN(feed.fit, fit_items(Shape(shape.begin() + 1, shape.end()), port));
  if (dataset.pixels && port.dtype == DType::f32) {
    PBATCH_ASSIGN_OR_RETURN(feed.data, scaled_to_float(dataset.data, 255.0F));
    feed.note = "pixels/255";
  } else {
    auto converted = convert_tensor(dataset.data, port.dtype);
    if (!converted) {
      return Status(converted.status().code(),
                    "input '" + port.name + "': " + converted.status().message(),
                    converted.status().remedy());
    }
    feed.data = *std::move(converted);
    feed.note = "values as stored";
  }
  feed.note += ", each item as " + shape_to_string(feed.fit.input_shape(1));
  return feed;
}

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
Result<bool> takes_batches(const Contender& c, const Feed& feed) {
  PBATCH_ASSIGN_OR_RETURN(const auto pair, feed.inputs(0, 2, 2));
  const auto both = c.session->run(pair, c.precision);
  if (!both) return false;
  for (std::int64_t i = 0; i < 2; ++i) {
    PBATCH_ASSIGN_OR_RETURN(const auto one, feed.inputs(i, 1, 1));
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> alone, c.session->run(one, c.precision));
    const Tensor& joint = (*both)[0];
    if (joint.size() != 2 * alone[0].size()) return false;
    if (!nearly_equal(joint, i * alone[0].size(), alone[0], alone[0].size())) return false;
  }
  return true;
}

Result<std::int64_t> choose_batch(const Contender& c, const Feed& feed, std::int64_t asked,
                                  std::int64_t items) {
  if (feed.fit.batch > 0) {
    if (asked > 0 && asked != feed.fit.batch) {
      return Status(ErrorCode::invalid_argument,
                    "the network fixes its batch at " + std::to_string(feed.fit.batch),
                    "leave --batch out");
    }
    return feed.fit.batch;
  }
  const std::int64_t batch = std::min(asked > 0 ? asked : kDefaultBatch, items);
  if (batch < 2) return 1;
  PBATCH_ASSIGN_OR_RETURN(const bool works, takes_batches(c, feed));
  if (!works && asked > 1) {
    return Status(ErrorCode::unsupported,
                  "the network does not give a batch of items the answers it gives them alone",
                  "use --batch 1");
  }
  return works ? batch : 1;
}

Result<Score> make_score(const Contender& c, const Feed& feed, std::int64_t batch,
                         const Tensor& labels) {
  PBATCH_ASSIGN_OR_RETURN(const auto first, feed.inputs(0, 1, batch));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, c.session->run(first, c.precision));
  if (outputs.empty() || outputs[0].size() == 0 || outputs[0].size() % batch != 0) {
    return Status(ErrorCode::shape_mismatch, "the first output cannot be divided among the items",
                  "use 'pbatch compare' for this network");
  }
  const Tensor& output = outputs[0];
  const std::int64_t classes = output.rank() == 0 ? 1 : output.dim(output.rank() - 1);
  return Score::create(labels, output.dtype(), output.size() / batch,
                       (output.size() / batch) % classes == 0 ? classes : 1);
}

}  // namespace

Result<Evaluation> evaluate(std::span<const Contender> contenders, const Dataset& dataset,
                            const EvalOptions& options, Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const Feed feed, make_feed(*contenders[0].session, dataset));
  const std::int64_t held = feed.data.dim(0);
  if (dataset.labels.rank() == 0 || dataset.labels.dim(0) != held) {
    return Status(ErrorCode::shape_mismatch,
                  "the data holds " + std::to_string(held) + " items but the labels have shape " +
                      shape_to_string(dataset.labels.shape()),
                  "give data and labels of the same items");
  }
  Evaluation result;
  result.items = options.limit > 0 ? std::min(options.limit, held) : held;
  result.input_note = feed.note;
  PBATCH_ASSIGN_OR_RETURN(result.batch,
                          choose_batch(contenders[0], feed, options.batch, result.items));
  const std::int64_t batch = result.batch;
  const bool padded = feed.fit.batch > 0;
  PBATCH_ASSIGN_OR_RETURN(const Score blank,
                          make_score(contenders[0], feed, batch, dataset.labels));
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
      PBATCH_RETURN_IF_ERROR(score.add(outputs[0], at, count));
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
