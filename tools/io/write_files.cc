#include "tools/io/write_files.h"

#include "base/output_files.h"

namespace pbatch {

Status check_writable(std::span<const std::string> paths, std::span<const std::string> sources) {
  return OutputFiles::check_all(paths, sources);
}

Status write_files(std::span<const std::pair<std::string, std::string>> files) {
  OutputFiles out;
  for (const auto& [path, bytes] : files) PBATCH_RETURN_IF_ERROR(out.stage(path, bytes));
  return out.commit();
}

}  // namespace pbatch
