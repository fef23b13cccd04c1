// Who is told what the products of bit-layers read.
#pragma once

#include <cstdint>

#include "layout/bit_matrix.h"

namespace pbatch {

/// Told of vectors by the thread that runs the network, one call at a time, in an order that does
/// not depend on other threads or on the machine.
class InputObserver {
 public:
  virtual ~InputObserver() = default;
  /// Rows row_begin .. row_end - 1 (which may lie behind the last) of `matrix` are multiplied with
  /// x [count][ld], of which the first `cols` of each count.
  virtual void observe(const BitMatrix& matrix, std::int64_t row_begin, std::int64_t row_end,
                       const float* x, std::int64_t count, std::int64_t ld) = 0;
};

/// While it lives, the products of all runs that this thread calls are observed; the caller of a
/// run feeds its products itself. Null: nobody is told. May be nested.
class ObserveInputs {
 public:
  explicit ObserveInputs(InputObserver* observer);
  ~ObserveInputs();
  ObserveInputs(const ObserveInputs&) = delete;
  ObserveInputs& operator=(const ObserveInputs&) = delete;

  /// Null if nobody wants to know.
  static InputObserver* of_this_thread();

 private:
  InputObserver* before_;
};

}  // namespace pbatch
