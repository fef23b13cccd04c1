// The safetensors container: 8 bytes of header length, a JSON header, the data.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "onnx/file_bytes.h"
#include "pbatch/status.h"
#include "pbatch/tensor.h"

namespace pbatch {

/// One tensor as the header describes it. Offsets count from the file's start.
struct SafetensorsEntry {
  DType dtype = DType::u8;
  Shape shape;
  std::int64_t begin = 0, end = 0;
};

/// The header of a file, and the way to its data. Nothing of the file is mapped into memory: a
/// mapping whose file another program cuts ends the process that reads it. Every entry has been
/// checked: known type, size equal to its shape's, no overlap, no hole, no double name. The data
/// may be shorter than the header says (a cut file): then the last tensors are not there.
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::string& path);
  /// `path` is for messages.
  static Result<SafetensorsFile> open(FileBytes bytes, const std::string& path);
  /// Parses the start of a file of `size` bytes, header and more; `path` is for messages. Its data
  /// is for the caller to find: read() needs open().
  static Result<SafetensorsFile> parse(std::span<const std::uint8_t> start, std::int64_t size,
                                       const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  /// The header's "__metadata__".
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const SafetensorsEntry* find(const std::string& name) const;
  /// Whether all bytes of the tensor are in the file.
  bool holds(const SafetensorsEntry& entry) const { return entry.end <= size_; }
  /// Copies the tensor's bytes. An error if the file has become shorter.
  Status read(const SafetensorsEntry& entry, void* to) const {
    return bytes_->read(entry.begin, entry.end - entry.begin, to);
  }
  /// The open file; null after parse().
  const std::shared_ptr<const FileBytes>& bytes() const { return bytes_; }

 private:
  std::string path_;
  std::int64_t size_ = 0;
  std::shared_ptr<const FileBytes> bytes_;
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

/// crc32 (ISO 3309, as in zlib) of bytes that come in pieces.
class Crc32 {
 public:
  void add(std::span<const std::uint8_t> data);
  /// 8 lower-case hexadecimal digits.
  std::string hex() const;

 private:
  std::uint32_t crc_ = 0;
};

/// The same of bytes that are all there.
std::string crc32_hex(std::span<const std::uint8_t> data);

}  // namespace pbatch
