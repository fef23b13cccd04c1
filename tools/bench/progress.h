// Where long work says how far it is.
#pragma once

#include <cstdint>
#include <string>

namespace pbatch {

/// Shows nothing; the command line shows a bar.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void begin(const std::string& /*what*/, std::int64_t /*steps*/) {}
  virtual void step(std::int64_t /*steps*/ = 1) {}
};

}  // namespace pbatch
