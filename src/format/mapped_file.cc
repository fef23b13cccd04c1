#include "format/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace pbatch {
namespace {

Status cannot(const char* what, const std::string& path, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  return Status(
             missing ? ErrorCode::not_found : ErrorCode::io,
             std::string("cannot ") + what + " the file: " + std::generic_category().message(error),
             missing ? "keep the .safetensors file beside its .onnx file"
                     : "check the file's permissions")
      .in_file(path);
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return cannot("open", path, errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Status(ErrorCode::io, "is not a regular file", "name a file").in_file(path);
  }
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->size_ = static_cast<std::size_t>(info.st_size);
  if (file->size_ > 0) {
    void* data = ::mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (data == MAP_FAILED) return cannot("map", path, error);
    file->data_ = static_cast<const std::uint8_t*>(data);
  } else {
    ::close(fd);
  }
  return std::shared_ptr<const MappedFile>(std::move(file));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

}  // namespace pbatch
