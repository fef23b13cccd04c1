#include "tools/io/npy_header.h"

#include <cctype>
#include <cstdint>

namespace pbatch {
namespace {

struct TypeCode {
  std::string_view code;
  DType type;
};
constexpr TypeCode kTypeCodes[] = {
    {"f2", DType::f16}, {"f4", DType::f32}, {"f8", DType::f64}, {"i1", DType::i8},
    {"u1", DType::u8},  {"i2", DType::i16}, {"u2", DType::u16}, {"i4", DType::i32},
    {"u4", DType::u32}, {"i8", DType::i64}, {"u8", DType::u64}, {"b1", DType::boolean},
};
constexpr std::size_t kMaxRank = 32;

Status bad_header(const std::string& what) {
  return Status(ErrorCode::malformed, "its .npy header is damaged: " + what,
                "write it again with numpy.save");
}

// A reader of the few Python literals that occur.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    skip_space();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool quoted(std::string_view* out) {
    skip_space();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return false;
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return false;
    *out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return true;
  }
  bool number(std::int64_t* out) {
    skip_space();
    std::int64_t value = 0;
    const std::size_t begin = at_;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      const int digit = text_[at_] - '0';
      if (value > (INT64_MAX - digit) / 10) return false;
      value = value * 10 + digit;
      ++at_;
    }
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote 3L
    *out = value;
    return at_ > begin;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  std::string_view text_;
  std::size_t at_ = 0;
};

Status parse_descr(Cursor& cursor, NpyHeader* header) {
  const char* const remedy = "save it as float32 or int64 with numpy.save";
  std::string_view descr;
  if (!cursor.quoted(&descr)) {
    return Status(ErrorCode::unsupported, "structured .npy types are not read", remedy);
  }
  if (descr.size() > 1 && std::string_view("<>|=").find(descr[0]) != std::string_view::npos) {
    header->big_endian = descr[0] == '>';
    for (const TypeCode& known : kTypeCodes) {
      if (descr.substr(1) == known.code) {
        header->dtype = known.type;
        return Status::ok();
      }
    }
  }
  return Status(ErrorCode::unsupported, ".npy type '" + std::string(descr) + "' is not read",
                remedy);
}

Status parse_shape(Cursor& cursor, NpyHeader* header) {
  if (!cursor.take('(')) return bad_header("the shape is not a tuple");
  while (!cursor.take(')')) {
    std::int64_t dim = 0;
    if (!cursor.number(&dim)) return bad_header("a dimension is not a number that fits 63 bits");
    if (header->shape.size() == kMaxRank) return bad_header("more than 32 dimensions");
    header->shape.push_back(dim);
    if (cursor.take(',')) continue;
    if (!cursor.take(')')) return bad_header("the shape does not end");
    break;
  }
  return Status::ok();
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::string_view text) {
  Cursor cursor(text);
  NpyHeader header;
  bool descr = false, order = false, shape = false;
  if (!cursor.take('{')) return bad_header("it is not a dict");
  while (!cursor.take('}')) {
    std::string_view key;
    if (!cursor.quoted(&key) || !cursor.take(':')) return bad_header("a key is missing");
    if (key == "descr" && !descr) {
      descr = true;
      PBATCH_RETURN_IF_ERROR(parse_descr(cursor, &header));
    } else if (key == "fortran_order" && !order) {
      order = true;
      header.fortran_order = cursor.take_word("True");
      if (!header.fortran_order && !cursor.take_word("False")) {
        return bad_header("fortran_order is neither True nor False");
      }
    } else if (key == "shape" && !shape) {
      shape = true;
      PBATCH_RETURN_IF_ERROR(parse_shape(cursor, &header));
    } else {
      return bad_header("key '" + std::string(key) + "' is unknown or stands twice");
    }
    if (cursor.take(',')) continue;
    if (!cursor.take('}')) return bad_header("the dict does not end");
    break;
  }
  if (!descr || !order || !shape) return bad_header("descr, fortran_order or shape is missing");
  if (!cursor.at_end()) return bad_header("text follows the dict");
  return header;
}

std::string_view npy_type_code(DType type) {
  for (const TypeCode& known : kTypeCodes) {
    if (known.type == type) return known.code;
  }
  return {};
}

}  // namespace pbatch
