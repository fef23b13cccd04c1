#include "pbatch/status.h"

namespace pbatch {
namespace {

// Names come from files: escape what would break or forge the line.
void append_escaped(std::string& out, const std::string& text) {
  static const char* const digits = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
}

}  // namespace

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::ok:
      return "ok";
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::io:
      return "io";
    case ErrorCode::malformed:
      return "malformed";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::shape_mismatch:
      return "shape_mismatch";
    case ErrorCode::precision_unavailable:
      return "precision_unavailable";
    case ErrorCode::not_finite:
      return "not_finite";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

std::string Status::to_line() const {
  if (is_ok()) return "ok";
  std::string line;
  if (!file_.empty()) {
    append_escaped(line, file_);
    line += ": ";
  }
  if (!node_.empty()) {
    line += "node '";
    append_escaped(line, node_);
    line += "': ";
  }
  append_escaped(line, message_);
  if (!remedy_.empty()) {
    line += "; ";
    append_escaped(line, remedy_);
  }
  return line;
}

}  // namespace pbatch
