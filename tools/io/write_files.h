// Files that a program leaves: all or none.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "pbatch/status.h"

namespace pbatch {

/// Whether files could be made at these paths, which must be different ones, without harm to
/// `sources`, the files that the work reads. Called before long work.
Status check_writable(std::span<const std::string> paths, std::span<const std::string> sources);

/// Writes files (path, bytes). An error leaves those that existed as they were, and no new ones.
Status write_files(std::span<const std::pair<std::string, std::string>> files);

}  // namespace pbatch
