// Second moments of what products read, while the network runs.
#pragma once

#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "product/input_observer.h"
#include "quantize/input_moments.h"

namespace pbatch {

/// Sums up x x' as vectors come; keeps none of them for long. Sums have a fixed order.
class MomentCollector final : public InputObserver {
 public:
  /// Of these matrices; the products of others are only counted.
  MomentCollector(std::set<const BitMatrix*> wanted, ThreadPool& pool);

  void observe(const BitMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
               const float* x, std::int64_t count, std::int64_t ld) override;

  /// Tells another observer of every product, too.
  void also(InputObserver* other) { also_ = other; }
  /// Multiply-adds of all products seen, wanted or not.
  double work() const { return work_; }
  /// What those who feed the network look at: `usual`, or less.
  double most_work(double usual) const { return usual < most_work_ ? usual : most_work_; }
  void limit_work(double most) { most_work_ = most; }
  /// The fewest vectors, as a multiple of their length, that any matrix seen got.
  double least_vectors() const;
  /// The parts of the matrix, by rows; empty if no vector was seen.
  std::vector<InputMoments> take(const BitMatrix& matrix);

 private:
  struct Sum {
    InputMoments moments;
    std::vector<float> waiting;  // [at most kTogether][cols]
    std::int64_t waiting_count = 0;
  };
  void add_waiting(Sum* sum);

  struct Seen {
    double vectors = 0, cols = 0;
  };
  using Part = std::pair<const BitMatrix*, std::int64_t>;  // a matrix and its first row

  std::set<const BitMatrix*> wanted_;
  ThreadPool& pool_;
  InputObserver* also_ = nullptr;
  std::map<Part, Sum> sums_;
  std::map<Part, Seen> seen_;
  double work_ = 0, most_work_ = std::numeric_limits<double>::infinity();
};

}  // namespace pbatch
