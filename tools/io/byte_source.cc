#include "tools/io/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pbatch {
namespace {

// Deflate spends at least two bits on a match of at most 258 bytes: 1032 to 1.
constexpr std::int64_t kDeflateRatio = 1032;
constexpr std::size_t kInflatedChunk = std::size_t{16} << 20;

}  // namespace

void ByteSource::Closer::operator()(void* file) const { gzclose_r(static_cast<gzFile>(file)); }

Result<ByteSource> ByteSource::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::io;
    return Status(code, std::string("cannot open it: ") + std::strerror(errno),
                  "give the path of a file that can be read")
        .in_file(path);
  }
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return Status(ErrorCode::io, "it is not a regular file", "give the path of an array file")
        .in_file(path);
  }
  const gzFile file = gzdopen(fd, "rb");
  if (file == nullptr) {
    close(fd);
    return Status(ErrorCode::out_of_memory, "no memory to read it", "free some memory")
        .in_file(path);
  }
  gzbuffer(file, 1U << 17);
  ByteSource source;
  source.path_ = path;
  source.file_.reset(file);
  source.most_bytes_ = info.st_size;
  if (gzdirect(file) == 0) {
    const std::int64_t limit = INT64_MAX / kDeflateRatio - 1;
    source.most_bytes_ = (std::min<std::int64_t>(info.st_size, limit) + 1) * kDeflateRatio;
  }
  return source;
}

Result<std::size_t> ByteSource::read_some(void* out, std::size_t bytes) {
  const auto file = static_cast<gzFile>(file_.get());
  const int got = gzread(file, out, static_cast<unsigned>(std::min(bytes, kInflatedChunk)));
  int error = Z_OK;
  const char* text = gzerror(file, &error);
  if (got < 0 || error == Z_BUF_ERROR || error == Z_DATA_ERROR) {
    if (error == Z_ERRNO) {
      return Status(ErrorCode::io, std::string("cannot read it: ") + std::strerror(errno),
                    "check the disk")
          .in_file(path_);
    }
    return Status(ErrorCode::malformed, std::string("its gzip stream is damaged: ") + text,
                  "make or fetch the file again")
        .in_file(path_);
  }
  return static_cast<std::size_t>(got);
}

Status ByteSource::read(void* out, std::size_t bytes) {
  auto* to = static_cast<char*>(out);
  while (bytes > 0) {
    PBATCH_ASSIGN_OR_RETURN(const std::size_t got, read_some(to, bytes));
    if (got == 0) {
      return Status(ErrorCode::malformed,
                    "it ends " + std::to_string(bytes) + " bytes before its header says",
                    "make or fetch the file again")
          .in_file(path_);
    }
    to += got;
    bytes -= got;
  }
  return Status::ok();
}

Status ByteSource::expect_end() {
  char extra;
  PBATCH_ASSIGN_OR_RETURN(const std::size_t got, read_some(&extra, 1));
  if (got != 0) {
    return Status(ErrorCode::malformed, "bytes follow the array that its header describes",
                  "make or fetch the file again")
        .in_file(path_);
  }
  return Status::ok();
}

}  // namespace pbatch
