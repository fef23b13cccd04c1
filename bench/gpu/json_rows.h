// Rows of a benchmark, as a JSON array, one line each; also printed. Written here and not by
// nlohmann/json, since the benchmark is built where nothing is but CUDA (run.sh).
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace pbatch::bench {

/// One object, in the order in which members are added. Texts need no escapes.
class JsonRow {
 public:
  JsonRow& add(const char* name, const std::string& text) {
    return member(name, "\"" + text + "\"");
  }
  JsonRow& add(const char* name, double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return member(name, text);
  }
  JsonRow& add(const char* name, long long value) { return member(name, std::to_string(value)); }

  std::string text() const {
    std::string all;
    for (const auto& [name, value] : members_) {
      all += (all.empty() ? "{\"" : ", \"") + name + "\": " + value;
    }
    return all + "}";
  }
  /// Whether all members of `some` are here, with the same values.
  bool has(const JsonRow& some) const {
    for (const auto& [name, value] : some.members_) {
      if (member(name) != value) return false;
    }
    return true;
  }
  double number(const std::string& name) const { return std::atof(member(name).c_str()); }

 private:
  JsonRow& member(const char* name, const std::string& value) {
    members_.emplace_back(name, value);
    return *this;
  }
  std::string member(const std::string& name) const {
    for (const auto& [own, value] : members_) {
      if (own == name) return value;
    }
    return {};
  }
  std::vector<std::pair<std::string, std::string>> members_;
};

class JsonRows {
 public:
  void add(const JsonRow& row) {
    rows_.push_back(row);
    std::printf("%s\n", row.text().c_str());
    std::fflush(stdout);
  }
  /// The rows that have all members of `some`.
  std::vector<JsonRow> find(const JsonRow& some) const {
    std::vector<JsonRow> found;
    for (const JsonRow& row : rows_) {
      if (row.has(some)) found.push_back(row);
    }
    return found;
  }
  /// False: it cannot be written.
  bool write(const std::string& path) const {
    std::string all;
    for (const JsonRow& row : rows_) all += (all.empty() ? "[\n" : ",\n") + row.text();
    all += all.empty() ? "[]\n" : "\n]\n";
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (file == nullptr) return false;
    const bool written = std::fwrite(all.data(), 1, all.size(), file) == all.size();
    return std::fclose(file) == 0 && written;
  }

 private:
  std::vector<JsonRow> rows_;
};

}  // namespace pbatch::bench
