// Plain-text tables.
#pragma once

#include <string>
#include <vector>

namespace pbatch {

/// Rows of cells under a header; widths follow the contents. A column whose
/// cells below the header all start with a digit, '-' or '+' stands right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  /// Cells are made printable. Missing ones are empty; more than the header has are dropped.
  void add(std::vector<std::string> cells);
  std::string to_string() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pbatch
