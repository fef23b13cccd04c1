#include "onnx/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace pbatch {
namespace {

std::string system_message(int error) { return std::generic_category().message(error); }

std::string identity_of(const struct stat& info) {
  std::string text;
  for (const auto number :
       {static_cast<long long>(info.st_dev), static_cast<long long>(info.st_ino),
        static_cast<long long>(info.st_size), static_cast<long long>(info.st_mtim.tv_sec),
        static_cast<long long>(info.st_mtim.tv_nsec), static_cast<long long>(info.st_ctim.tv_sec),
        static_cast<long long>(info.st_ctim.tv_nsec)}) {
    text += std::to_string(number) + ' ';
  }
  return text;
}

}  // namespace

Result<FileBytes> FileBytes::open(const std::string& path) {
  FileBytes file;
  file.path_ = path;
  // Non-blocking: opening a pipe must not wait for a writer.
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor_ < 0) {
    const int error = errno;
    const bool missing = error == ENOENT || error == ENOTDIR;
    return Status(missing ? ErrorCode::not_found : ErrorCode::io,
                  "cannot open the file: " + system_message(error),
                  missing ? "check the path" : "check the file's permissions")
        .in_file(path);
  }
  struct stat info {};
  if (::fstat(file.descriptor_, &info) != 0) {
    return Status(ErrorCode::io, "cannot examine the file: " + system_message(errno),
                  "check the disk")
        .in_file(path);
  }
  if (!S_ISREG(info.st_mode)) {
    return Status(ErrorCode::io, S_ISDIR(info.st_mode) ? "is a directory" : "is not a regular file",
                  "name a file")
        .in_file(path);
  }
  file.size_ = info.st_size;
  file.identity_ = identity_of(info);
  return file;
}

FileBytes FileBytes::in_memory(std::string bytes, std::string name) {
  FileBytes file;
  file.size_ = static_cast<std::int64_t>(bytes.size());
  file.path_ = std::move(name);
  file.memory_ = std::move(bytes);
  return file;
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      path_(std::move(other.path_)),
      identity_(std::move(other.identity_)),
      memory_(std::move(other.memory_)) {}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  std::swap(identity_, other.identity_);
  std::swap(memory_, other.memory_);
  return *this;
}

FileBytes::~FileBytes() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status FileBytes::read(std::int64_t offset, std::int64_t count, void* to) const {
  auto* out = static_cast<char*>(to);
  if (descriptor_ < 0 && count > 0) {
    std::memcpy(out, memory_.data() + offset, static_cast<std::size_t>(count));
    return Status::ok();
  }
  while (count > 0) {
    // One call reads at most about 2^31 bytes.
    const auto chunk = static_cast<std::size_t>(std::min(count, std::int64_t{1} << 30));
    const ssize_t got = ::pread(descriptor_, out, chunk, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Status(ErrorCode::io, "cannot read the file: " + system_message(errno),
                    "check the disk")
          .in_file(path_);
    }
    if (got == 0) {
      return Status(ErrorCode::io, "the file became shorter while it was read",
                    "wait until nothing writes to it")
          .in_file(path_);
    }
    out += got;
    offset += got;
    count -= got;
  }
  return Status::ok();
}

}  // namespace pbatch
