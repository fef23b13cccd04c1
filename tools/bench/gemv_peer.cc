#include "tools/bench/baselines.h"
#include "tools/bench/gemv_contender.h"

namespace pbatch {
namespace {

constexpr double kPeerTolerance = 1e-4;

struct PeerRunner {
  std::vector<std::unique_ptr<Baseline>> copies;  // cold: many, taken in turn

  Status run(std::int64_t i) { return copies[static_cast<std::size_t>(i) % copies.size()]->run(); }
};

// Float products against the problem, integer ones against the integers they multiply.
Status check_peer(const GemvProblem& problem, Baseline& peer, const std::string& name) {
  PBATCH_RETURN_IF_ERROR(peer.run());
  const BaselineAnswer answer = peer.answer();
  const bool floats = peer.weight_bits() == 32;
  const std::vector<double> right = floats
                                        ? naive_product(problem, problem.weights->data(), problem.x)
                                        : naive_product(problem, answer.w.data(), answer.x);
  return check_answer(problem, answer.y, right, kPeerTolerance, name);
}

}  // namespace

Result<GemvContender> make_peer_contender(const GemvProblem& problem, std::string_view name,
                                          bool cold, GemvLane& lane) {
  const BaselineProblem given{problem.rows, problem.cols, problem.batch, problem.weights->data(),
                              problem.x.data()};
  auto runner = std::make_shared<PeerRunner>();
  std::int64_t bytes = 0;
  do {
    PBATCH_ASSIGN_OR_RETURN(auto copy, make_baseline(name, given, lane.pool, lane.buffers));
    bytes += copy->weight_bytes();
    runner->copies.push_back(std::move(copy));
  } while (cold && bytes < kColdBytes);
  Baseline& first = *runner->copies[0];
  PBATCH_RETURN_IF_ERROR(check_peer(problem, first, std::string(name)));
  GemvContender contender{
      std::string(name), first.weight_bits(), first.activation_bits(), first.weight_bytes(), {}};
  contender.call = [runner](std::int64_t i) { return runner->run(i); };
  return contender;
}

}  // namespace pbatch
