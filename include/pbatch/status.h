// Errors as values. The library neither prints nor aborts nor throws: every
// call that can fail returns a Status or a Result<T>.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "pbatch/export.h"

namespace pbatch {

enum class ErrorCode {
  ok,
  invalid_argument,       ///< the caller passed something that can never work
  not_found,              ///< a file, a tensor or a layer of that name does not exist
  io,                     ///< the operating system refused a read or a write
  malformed,              ///< a file is damaged, truncated or hostile
  unsupported,            ///< valid input that this build or machine cannot run
  shape_mismatch,         ///< a tensor does not have the shape the network needs
  precision_unavailable,  ///< more bit-layers asked for than the file holds
  not_finite,             ///< a NaN or an infinity among weights or inputs
  out_of_memory,
  internal,  ///< a bug in pbatch
};

/// The stable lower-case name of a code, e.g. "shape_mismatch".
PBATCH_API const char* error_code_name(ErrorCode code);

/// What went wrong, where, and what to do about it. `file` and `node` may be empty. A value:
/// threads may read one at once.
class [[nodiscard]] PBATCH_API Status {
 public:
  Status() = default;
  Status(ErrorCode code, std::string message, std::string remedy = {})
      : code_(code), message_(std::move(message)), remedy_(std::move(remedy)) {}

  static Status ok() { return {}; }

  bool is_ok() const { return code_ == ErrorCode::ok; }
  explicit operator bool() const { return is_ok(); }

  ErrorCode code() const { return code_; }
  const std::string& file() const { return file_; }
  const std::string& node() const { return node_; }
  const std::string& message() const { return message_; }
  const std::string& remedy() const { return remedy_; }

  /// Fills in the place where it is still unknown; an earlier, more exact place is kept.
  Status&& in_file(const std::string& file) && {
    if (file_.empty()) file_ = file;
    return std::move(*this);
  }
  Status&& at_node(const std::string& node) && {
    if (node_.empty()) node_ = node;
    return std::move(*this);
  }

  /// One line: "file: node 'name': message; remedy". Control characters in
  /// names taken from a file are escaped, so the line stays one line.
  std::string to_line() const;

 private:
  ErrorCode code_ = ErrorCode::ok;
  std::string file_;
  std::string node_;
  std::string message_;
  std::string remedy_;
};

/// A T or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T held) : state_(std::move(held)) {}           // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool is_ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return is_ok(); }

  /// Precondition: is_ok().
  T& value() & { return *std::get_if<T>(&state_); }
  const T& value() const& { return *std::get_if<T>(&state_); }
  T&& value() && { return std::move(*std::get_if<T>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return std::get_if<T>(&state_); }
  const T* operator->() const { return std::get_if<T>(&state_); }

  /// The error; Status::ok() when there is a value.
  Status status() const {
    const Status* s = std::get_if<Status>(&state_);
    return s != nullptr ? *s : Status{};
  }

 private:
  std::variant<T, Status> state_;
};

}  // namespace pbatch

#define PBATCH_CONCAT_INNER(a, b) a##b
#define PBATCH_CONCAT(a, b) PBATCH_CONCAT_INNER(a, b)

/// Returns the Status of `expr` from the enclosing function if it is an error.
#define PBATCH_RETURN_IF_ERROR(expr)                                                              \
  do {                                                                                            \
    if (::pbatch::Status pbatch_status_ = (expr); !pbatch_status_.is_ok()) return pbatch_status_; \
  } while (false)

/// Declares `lhs` from the value of a Result, or returns its Status.
#define PBATCH_ASSIGN_OR_RETURN(lhs, expr) \
  PBATCH_ASSIGN_OR_RETURN_IMPL(PBATCH_CONCAT(pbatch_result_, __LINE__), lhs, expr)
#define PBATCH_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                 \
  if (!tmp.is_ok()) return tmp.status();             \
  lhs = std::move(tmp).value()
