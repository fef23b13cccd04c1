// Rows of a benchmark, as a JSON array, one line each; also printed.
#pragma once

#include <cstdio>
#include <string>

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
  std::string text() const { return "{" + members_ + "}"; }

 private:
  JsonRow& member(const char* name, const std::string& value) {
    members_ += (members_.empty() ? "\"" : ", \"") + std::string(name) + "\": " + value;
    return *this;
  }
  std::string members_;
};

class JsonRows {
 public:
  void add(const JsonRow& row) {
    text_ += (text_.empty() ? "[\n" : ",\n") + row.text();
    std::printf("%s\n", row.text().c_str());
    std::fflush(stdout);
  }
  /// False: it cannot be written.
  bool write(const std::string& path) const {
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (file == nullptr) return false;
    const std::string all = text_.empty() ? "[]\n" : text_ + "\n]\n";
    const bool written = std::fwrite(all.data(), 1, all.size(), file) == all.size();
    return std::fclose(file) == 0 && written;
  }

 private:
  std::string text_;
};

}  // namespace pbatch::bench
