#include "api/c_guard.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace pbatch {
namespace {

void write_message(std::string_view text, pbatch_error& error) {
  const std::size_t length = std::min(text.size(), sizeof error.message - 1);
  std::memcpy(error.message, text.data(), length);
  error.message[length] = '\0';
}

}  // namespace

pbatch_code report_to_c(const Status& status, pbatch_error* error) {
  const auto code = static_cast<pbatch_code>(status.code());
  if (error == nullptr) return code;
  error->code = code;
  if (status.is_ok()) {
    write_message("", *error);
    return code;
  }
  if (status.message().empty()) {  // made in a handler: no memory to be asked for
    write_message(status.code() == ErrorCode::out_of_memory
                      ? "memory is short; use a smaller batch or free memory"
                      : "an unexpected exception in pbatch; please report it",
                  *error);
    return code;
  }
  try {
    write_message(status.to_line(), *error);
  } catch (...) {
    write_message(status.message(), *error);
  }
  return code;
}

Status null_argument(const char* what) {
  return {ErrorCode::invalid_argument, std::string(what) + " is a null pointer",
          "pass a valid one"};
}

}  // namespace pbatch
