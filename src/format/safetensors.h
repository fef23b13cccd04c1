// The safetensors container: 8 bytes of header length, a JSON header, the data.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/mapped_file.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// One tensor as the header describes it. Offsets count from the file's start.
struct SafetensorsEntry {
  DType dtype = DType::u8;
  Shape shape;
  std::int64_t begin = 0, end = 0;
};

/// A parsed file. Every entry has been checked: known type, size equal to its
/// shape's, no overlap, no hole, no double name. The data may be shorter than
/// the header says (a cut file): then the last tensors are not there.
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::string& path);
  /// Parses bytes in memory that `owner` keeps alive; `path` is for messages.
  static Result<SafetensorsFile> parse(std::span<const std::uint8_t> bytes,
                                       std::shared_ptr<const void> owner, const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  /// The header's "__metadata__".
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const SafetensorsEntry* find(const std::string& name) const;
  /// Whether all bytes of the tensor are in the file.
  bool holds(const SafetensorsEntry& entry) const {
    return entry.end <= static_cast<std::int64_t>(bytes_.size());
  }
  /// Precondition: holds(entry).
  std::span<const std::uint8_t> data(const SafetensorsEntry& entry) const {
    return bytes_.subspan(static_cast<std::size_t>(entry.begin),
                          static_cast<std::size_t>(entry.end - entry.begin));
  }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::string path_;
  std::span<const std::uint8_t> bytes_;
  std::shared_ptr<const void> owner_;
  std::map<std::string, SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// Lays out a file. Tensors are stored in the order in which they are added.
class SafetensorsWriter {
 public:
  /// `data` must live until the file is written.
  void add(std::string name, DType dtype, Shape shape, std::span<const std::uint8_t> data);
  void set_metadata(std::string key, std::string value) {
    metadata_[std::move(key)] = std::move(value);
  }
  /// Bytes of tensors added so far.
  std::int64_t data_size() const { return size_; }

  /// The length and the header, padded with spaces so that the data starts at a
  /// multiple of 64.
  Result<std::string> header() const;

  struct Tensor {
    std::string name;
    DType dtype;
    Shape shape;
    std::span<const std::uint8_t> data;
    std::int64_t begin;  ///< from the start of the data
  };
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  std::vector<Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::int64_t size_ = 0;
};

/// crc32 (ISO 3309, as in zlib) as 8 lower-case hexadecimal digits.
std::string crc32_hex(std::span<const std::uint8_t> data);

}  // namespace pbatch
