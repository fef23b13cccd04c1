#include <algorithm>
#include <array>
#include <optional>

#include "format/json.h"
#include "format/safetensors.h"

namespace pbatch {
namespace {

using nlohmann::json;

// The container's own limit; nothing we write comes near it.
constexpr std::uint64_t kMaxHeader = 100u << 20;
constexpr std::int64_t kLengthBytes = 8;
constexpr std::size_t kMaxRank = 16;

Status damaged_file(const std::string& what) {
  return {ErrorCode::malformed, "not a safetensors file: " + what,
          "the file is damaged or is something else; copy it again"};
}

Status too_short() { return damaged_file("it has fewer than 8 bytes"); }

// What the first bytes say, if the file is as long as that.
Result<std::int64_t> header_length(std::span<const std::uint8_t> start, std::int64_t size,
                                   const std::string& path) {
  if (start.size() < kLengthBytes) return too_short().in_file(path);
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) length = length << 8 | start[i];
  if (length > kMaxHeader || length > static_cast<std::uint64_t>(size - kLengthBytes)) {
    return damaged_file("its header would be longer than the file").in_file(path);
  }
  return static_cast<std::int64_t>(length);
}

std::optional<DType> type_of(const std::string& code) {
  static const std::map<std::string, DType> types{
      {"F32", DType::f32},     {"F64", DType::f64}, {"F16", DType::f16}, {"BF16", DType::bf16},
      {"I8", DType::i8},       {"U8", DType::u8},   {"I16", DType::i16}, {"U16", DType::u16},
      {"I32", DType::i32},     {"U32", DType::u32}, {"I64", DType::i64}, {"U64", DType::u64},
      {"BOOL", DType::boolean}};
  const auto it = types.find(code);
  if (it == types.end()) return std::nullopt;
  return it->second;
}

bool is_size(const json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() <= std::uint64_t{1} << 62;
}

Result<SafetensorsEntry> parse_entry(const std::string& name, const json& value,
                                     std::int64_t data_start) {
  const auto bad = [&](const char* what) { return damaged_file("tensor '" + name + "' " + what); };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets")) {
    return bad("lacks its type, shape or offsets");
  }
  const json& dtype = value["dtype"];
  const json& shape = value["shape"];
  const json& offsets = value["data_offsets"];
  SafetensorsEntry entry;
  const auto type = dtype.is_string() ? type_of(dtype.get<std::string>()) : std::nullopt;
  if (!type) return bad("has an unknown type");
  entry.dtype = *type;
  if (!shape.is_array() || shape.size() > kMaxRank ||
      !std::all_of(shape.begin(), shape.end(), is_size)) {
    return bad("has an impossible shape");
  }
  for (const json& d : shape) entry.shape.push_back(d.get<std::int64_t>());
  if (!offsets.is_array() || offsets.size() != 2 || !is_size(offsets[0]) || !is_size(offsets[1])) {
    return bad("has impossible offsets");
  }
  const auto begin = offsets[0].get<std::int64_t>(), end = offsets[1].get<std::int64_t>();
  const auto count = checked_element_count(entry.shape, dtype_size(entry.dtype));
  if (!count || begin > end ||
      end - begin != *count * static_cast<std::int64_t>(dtype_size(entry.dtype))) {
    return bad("has offsets that do not fit its shape");
  }
  entry.begin = data_start + begin;
  entry.end = data_start + end;
  return entry;
}

// Every byte of the data belongs to exactly one tensor; bytes may lack at the end.
Status check_contiguous(const std::map<std::string, SafetensorsEntry>& entries,
                        std::int64_t data_start, std::int64_t file_size) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (const auto& [name, entry] : entries) places.emplace_back(entry.begin, entry.end);
  std::sort(places.begin(), places.end());
  std::int64_t at = data_start;
  for (const auto& [begin, end] : places) {
    if (begin != at) return damaged_file("its tensors overlap or leave holes");
    at = end;
  }
  if (at < file_size) return damaged_file("it goes on behind its last tensor");
  return Status::ok();
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(FileBytes bytes, FileBytes::open(path));
  return open(std::move(bytes), path);
}

Result<SafetensorsFile> SafetensorsFile::open(FileBytes bytes, const std::string& path) {
  const auto file = std::make_shared<const FileBytes>(std::move(bytes));
  std::array<std::uint8_t, kLengthBytes> start{};
  if (file->size() < kLengthBytes) return too_short().in_file(path);
  PBATCH_RETURN_IF_ERROR(file->read(0, kLengthBytes, start.data()));
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t length, header_length(start, file->size(), path));
  std::vector<std::uint8_t> header(static_cast<std::size_t>(kLengthBytes + length));
  PBATCH_RETURN_IF_ERROR(file->read(0, kLengthBytes + length, header.data()));
  PBATCH_ASSIGN_OR_RETURN(SafetensorsFile parsed, parse(header, file->size(), path));
  parsed.bytes_ = file;
  return parsed;
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::uint8_t> start,
                                               std::int64_t size, const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(const std::int64_t length, header_length(start, size, path));
  const std::string_view text(reinterpret_cast<const char*>(start.data()) + kLengthBytes,
                              static_cast<std::size_t>(length));
  Result<json> root = parse_json_object(text);
  if (!root) return damaged_file("its header " + root.status().message()).in_file(path);

  SafetensorsFile file;
  file.path_ = path;
  file.size_ = size;
  const std::int64_t data_start = kLengthBytes + length;
  for (const auto& [name, value] : root->items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) return damaged_file("its metadata is not an object").in_file(path);
      for (const auto& [key, text_value] : value.items()) {
        if (!text_value.is_string())
          return damaged_file("its metadata holds a non-string").in_file(path);
        file.metadata_[key] = text_value.get<std::string>();
      }
      continue;
    }
    Result<SafetensorsEntry> entry = parse_entry(name, value, data_start);
    if (!entry) return entry.status().in_file(path);
    file.entries_.emplace(name, *std::move(entry));
  }
  if (Status s = check_contiguous(file.entries_, data_start, size); !s)
    return std::move(s).in_file(path);
  return file;
}

const SafetensorsEntry* SafetensorsFile::find(const std::string& name) const {
  const auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : &it->second;
}

}  // namespace pbatch
