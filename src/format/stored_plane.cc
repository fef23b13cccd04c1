#include "format/stored_plane.h"

#include <utility>

#include "base/fork.h"

namespace pbatch {

StoredPlane::StoredPlane(Tensor memory, const SafetensorsFile& file, const std::string& name,
                         std::string checksum)
    : memory_(std::move(memory)),
      file_(file.bytes()),
      begin_(file.find(name)->begin),
      path_(file.path()),
      name_(name),
      checksum_(std::move(checksum)) {}

Status StoredPlane::load() {
  if (loaded_.load(std::memory_order_acquire)) return Status::ok();
  // A child of the process may need this plane while another thread reads it here.
  const std::lock_guard no_fork(fork_mutex());
  const std::lock_guard lock(mutex_);
  if (file_ == nullptr) return Status::ok();
  PBATCH_RETURN_IF_ERROR(
      file_->read(begin_, static_cast<std::int64_t>(memory_.bytes()), memory_.mutable_raw()));
  if (crc32_hex(bytes()) != checksum_) {
    return Status(ErrorCode::malformed, "bit-layer '" + name_ + "' fails its checksum",
                  "the data file is damaged; copy it again, or ask for fewer bits")
        .in_file(path_);
  }
  file_.reset();
  loaded_.store(true, std::memory_order_release);
  return Status::ok();
}

}  // namespace pbatch
