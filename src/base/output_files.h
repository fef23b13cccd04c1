// Files that appear whole or not at all.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pbatch/status.h"

namespace pbatch {

/// Writes several files so that an error leaves none of them behind and those
/// that existed as they were: each goes to a temporary file beside its target
/// first, and only commit() renames. What is not committed is removed.
/// Devices and pipes are written directly, at commit().
class OutputFiles {
 public:
  OutputFiles() = default;
  ~OutputFiles();
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;

  /// Whether a file could be made there without harm to `sources`, the files that the work reads:
  /// the path may be none of them, links and hard links included. Called before long work.
  static Status check(const std::string& path, std::span<const std::string> sources = {});
  /// The same for several files, which must be different ones.
  static Status check_all(std::span<const std::string> paths,
                          std::span<const std::string> sources = {});

  Status stage(const std::string& path, std::string_view bytes) { return stage(path, {&bytes, 1}); }
  /// The parts one after another, without joining them in memory.
  Status stage(const std::string& path, std::span<const std::string_view> parts);
  Status commit();

 private:
  struct Staged {
    std::string path;       ///< as the caller named it, for messages
    std::string target;     ///< with links resolved
    std::string temporary;  ///< empty: `bytes` go straight to the device
    std::string bytes;
  };
  std::vector<Staged> staged_;
};

}  // namespace pbatch
