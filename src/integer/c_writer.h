// C source as it is put together: constant arrays, structures, and the calls of a run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "integer/integer_product.h"
#include "kernel/integer_fns.h"

namespace pbatch {

class CWriter {
 public:
  /// The name of a static array of these numbers, "0" if there are none.
  template <class T>
  std::string array(const std::vector<T>& numbers) {
    return array(numbers.data(), numbers.size());
  }
  template <class T>
  std::string array(const T* numbers, std::size_t count);
  std::string array(const std::vector<pb_dyadic>& numbers);

  /// Declares `type name = {fields}` and gives the name.
  std::string structure(const std::string& type, const std::string& fields);
  std::string product(const IntegerProduct& product);
  /// The same as the fields of a structure, in braces.
  std::string product_fields(const IntegerProduct& product);
  /// The name of a static array of that type, made of `numbers` as they stand.
  std::string declare(const std::string& type, const std::string& numbers, std::size_t count);

  void call(const std::string& statement) { calls_ += "  " + statement + ";\n"; }
  const std::string& declarations() const { return declarations_; }
  const std::string& calls() const { return calls_; }

  static std::string of(pb_dyadic d);
  static std::string of(const pb_windows& w);

 private:
  std::string declarations_, calls_;
  std::map<std::pair<std::string, std::string>, std::string> arrays_;  // by type and contents
  std::map<const IntegerProduct*, std::string> products_;
  int next_ = 0;
};

/// "a, b, c" with lines of at most 100 columns.
template <class T>
std::string joined_numbers(const T* numbers, std::size_t count) {
  std::string text, line = "   ";
  for (std::size_t i = 0; i < count; ++i) {
    std::string number = std::to_string(+numbers[i]);
    if (sizeof(T) == 8) number = "INT64_C(" + number + ")";
    if (line.size() + number.size() + 2 > 100) {
      text += line + "\n";
      line = "   ";
    }
    line += " " + number + ",";
  }
  return text + line + "\n";
}

template <class T>
const char* c_type() {
  if (std::is_same_v<T, std::uint8_t>) return "uint8_t";
  if (std::is_same_v<T, std::uint16_t>) return "uint16_t";
  if (std::is_same_v<T, std::int64_t>) return "int64_t";
  return "int32_t";
}

template <class T>
std::string CWriter::array(const T* numbers, std::size_t count) {
  if (count == 0) return "0";
  return declare(c_type<T>(), joined_numbers(numbers, count), count);
}

}  // namespace pbatch
