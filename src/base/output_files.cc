#include "base/output_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>

namespace pbatch {
namespace {

Status write_error(const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return Status(ErrorCode::io, std::string("cannot write it: ") + std::strerror(error),
                full ? "free some disk space" : "choose a path that can be written")
      .in_file(path);
}

// The file a chain of links ends at, so that renaming replaces the file and not the link. Of a
// file that is not there yet, its place.
std::string resolve_links(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path real = fs::canonical(path, error);
  if (!error) return real.string();
  const fs::path name(path);
  real = fs::canonical(name.has_parent_path() ? name.parent_path() : fs::path("."), error);
  return error ? path : (real / name.filename()).string();
}

// Whether writing makes a file that replaces what is there: not so with devices and pipes.
bool is_file_to_be(const std::string& target) {
  struct stat info {};
  return stat(target.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

Status check_harmless(const std::string& path, std::span<const std::string> sources) {
  if (!is_file_to_be(resolve_links(path))) return Status::ok();
  for (const std::string& source : sources) {
    std::error_code error;
    if (!std::filesystem::equivalent(path, source, error) || error) continue;
    return Status(ErrorCode::invalid_argument,
                  "the output is a file that is read: '" + source + "'", "choose another name")
        .in_file(path);
  }
  return Status::ok();
}

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = write(fd, bytes.data(), bytes.size());
    if (done < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

mode_t mode_for_new_file() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

OutputFiles::~OutputFiles() {
  for (const Staged& file : staged_) {
    if (!file.temporary.empty()) unlink(file.temporary.c_str());
  }
}

Status OutputFiles::check(const std::string& path, std::span<const std::string> sources) {
  PBATCH_RETURN_IF_ERROR(check_harmless(path, sources));
  struct stat info {};
  const std::string target = resolve_links(path);
  if (stat(target.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return write_error(path, EISDIR);
    if (!S_ISREG(info.st_mode)) return Status::ok();
  }
  std::string folder = std::filesystem::path(target).parent_path().string();
  if (folder.empty()) folder = ".";
  if (access(folder.c_str(), W_OK | X_OK) != 0) return write_error(path, errno);
  return Status::ok();
}

Status OutputFiles::check_all(std::span<const std::string> paths,
                              std::span<const std::string> sources) {
  std::set<std::string> targets;
  for (const std::string& path : paths) {
    PBATCH_RETURN_IF_ERROR(check(path, sources));
    const std::string target = resolve_links(path);
    if (is_file_to_be(target) && !targets.insert(target).second) {
      return Status(ErrorCode::invalid_argument, "two outputs would be this one file",
                    "choose another name for one of them")
          .in_file(path);
    }
  }
  return Status::ok();
}

Status OutputFiles::stage(const std::string& path, std::span<const std::string_view> parts) {
  PBATCH_RETURN_IF_ERROR(check(path));
  Staged file{path, resolve_links(path), {}, {}};
  struct stat info {};
  const bool exists = stat(file.target.c_str(), &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {
    for (const std::string_view part : parts) file.bytes += part;
    staged_.push_back(std::move(file));
    return Status::ok();
  }
  std::string name = file.target + ".tmp-XXXXXX";
  const int fd = mkstemp(name.data());
  if (fd < 0) return write_error(path, errno);
  file.temporary = name;
  staged_.push_back(std::move(file));
  int error = 0;
  for (const std::string_view part : parts) {
    if (error == 0) error = write_all(fd, part);
  }
  if (error == 0 && fchmod(fd, exists ? info.st_mode & 07777 : mode_for_new_file()) != 0) {
    error = errno;
  }
  if (error == 0 && fsync(fd) != 0) error = errno;
  if (close(fd) != 0 && error == 0) error = errno;
  return error == 0 ? Status::ok() : write_error(path, error);
}

Status OutputFiles::commit() {
  for (Staged& file : staged_) {
    if (file.temporary.empty()) {
      const int fd = open(file.target.c_str(), O_WRONLY | O_CLOEXEC);
      if (fd < 0) return write_error(file.path, errno);
      int error = write_all(fd, file.bytes);
      if (close(fd) != 0 && error == 0) error = errno;
      if (error != 0) return write_error(file.path, error);
      continue;
    }
    if (std::rename(file.temporary.c_str(), file.target.c_str()) != 0) {
      return write_error(file.path, errno);
    }
    file.temporary.clear();
  }
  staged_.clear();
  return Status::ok();
}

}  // namespace pbatch
