// What prepared weights take in this process, and who can do without some of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace pbatch {

/// Weights that a run needs are made, whatever the bound: it is kept by giving up what was used
/// least recently and no run under way holds. Thread-safe.
class WeightStore {
 public:
  /// That of the process.
  static WeightStore& get();

  /// Keeps prepared weights, or what holds some.
  class Holder {
   public:
    virtual ~Holder() = default;
    /// When the thing that it could give up first was used; none if it has nothing to give.
    virtual std::optional<std::uint64_t> oldest() = 0;
    /// Gives that up; null if there is nothing any more.
    virtual std::shared_ptr<const void> give_up() = 0;
  };

  /// `bytes`, counted for as long as they live.
  std::shared_ptr<const std::uint8_t> count(std::shared_ptr<const std::uint8_t> bytes,
                                            std::size_t size);

  std::int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  /// How often something was given up for the bound.
  std::int64_t given_up() const { return given_up_.load(std::memory_order_relaxed); }
  /// 0: no bound. Makes room at once.
  void set_limit(std::int64_t bytes);

  void add(Holder* holder);
  /// Before the holder ends.
  void remove(Holder* holder);

  /// Has holders give up things until the bound is kept or nobody has anything to give. The caller
  /// holds neither fork_mutex() nor a lock that a holder takes.
  void make_room();

  /// A time for oldest(); 0 without a bound, when nobody will ask.
  std::uint64_t now() {
    return limit() == 0 ? 0 : clock_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

 private:
  std::shared_ptr<const void> take_oldest();

  std::atomic<std::int64_t> bytes_{0}, limit_{0}, given_up_{0};
  std::atomic<std::uint64_t> clock_{0};
  std::vector<Holder*> holders_;  // under fork_mutex(): a child of the process needs the lock
};

}  // namespace pbatch
