#include "cost/costs_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

namespace pbatch {
namespace {

constexpr std::string_view kTitle = "pbatch kernel costs, format 1";
constexpr std::string_view kAnyTitle = "pbatch kernel costs, format ";
constexpr std::size_t kMaxMemoryLines = 64, kMaxHeaderBytes = 16 << 10;

Status bad(std::size_t line, const std::string& what) {
  return {ErrorCode::malformed, "line " + std::to_string(line) + ": " + what,
          "measure again with 'pbatch bench --tune', or delete the file"};
}

std::string quoted(std::string_view word) {
  return "'" + std::string(word.substr(0, 60)) + (word.size() > 60 ? "..." : "") + "'";
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

template <class T>
std::optional<T> number(std::string_view word) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// A cost of anything between far too fast and far too slow: finite, too.
std::optional<double> cost(std::string_view word) {
  const std::optional<double> value = number<double>(word);
  return value && *value >= 1e-6 && *value <= 1e9 ? value : std::nullopt;
}

std::string matrix_name(const CostMatrix& m) {
  return std::to_string(m.rows) + "x" + std::to_string(m.cols);
}

// The place of the first element for which `is` holds.
template <class Array, class Test>
std::optional<std::size_t> place(const Array& array, const Test& is) {
  const auto it = std::find_if(array.begin(), array.end(), is);
  if (it == array.end()) return std::nullopt;
  return static_cast<std::size_t>(it - array.begin());
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Status parse(bool header_only) {
    if (text_.size() > kMaxCostsBytes) {
      return bad(1, "the table is longer than any can be");
    }
    for (std::string_view line; next(line);) {
      const std::vector<std::string_view> words = words_of(line);
      if (words.empty() || words[0][0] == '#') continue;
      if (!titled_) {
        titled_ = line == kTitle;
        if (titled_) continue;
        const bool other = line.substr(0, kAnyTitle.size()) == kAnyTitle;
        if (header_only && other) return Status::ok();  // of another build, then
        return bad(line_, "this is no table of kernel costs of format 1");
      }
      if (std::string* field = header_field(words[0])) {
        PBATCH_RETURN_IF_ERROR(header_line(line, words, *field));
      } else if (header_only) {
        break;
      } else if (words[0] == "memory") {
        PBATCH_RETURN_IF_ERROR(memory_line(words));
      } else {
        PBATCH_RETURN_IF_ERROR(kernel_line(words));
      }
    }
    if (!titled_) return bad(1, "the table is empty");
    if (header_only) return Status::ok();
    if (costs.header.isa.empty()) return bad(line_, "no line says the instruction set (isa)");
    if (seen_kernels_.empty()) return bad(line_, "the table names no kernel");
    return Status::ok();
  }

  KernelCosts costs;

 private:
  bool next(std::string_view& line) {
    if (text_.empty()) return false;
    const std::size_t end = std::min(text_.find('\n'), text_.size());
    line = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++line_;
    return true;
  }

  std::string* header_field(std::string_view key) {
    CostHeader& h = costs.header;
    return key == "build"  ? &h.build
           : key == "isa"  ? &h.isa
           : key == "cpu"  ? &h.cpu
           : key == "date" ? &h.date
                           : nullptr;
  }

  Status header_line(std::string_view line, const std::vector<std::string_view>& words,
                     std::string& field) const {
    if (!field.empty()) return bad(line_, quoted(words[0]) + " is said twice");
    if (words.size() < 2 || line.size() > kMaxHeaderBytes) {
      return bad(line_, quoted(words[0]) + " has no value, or too long a one");
    }
    const char* const end = words.back().data() + words.back().size();
    field.assign(words[1].data(), static_cast<std::size_t>(end - words[1].data()));
    return Status::ok();
  }

  Status memory_line(const std::vector<std::string_view>& words) {
    const auto threads = words.size() == 3 ? number<int>(words[1]) : std::nullopt;
    const auto ps = words.size() == 3 ? cost(words[2]) : std::nullopt;
    if (!threads || *threads < 1 || !ps) {
      return bad(line_, "not 'memory', a number of threads and picoseconds per byte");
    }
    if (costs.memory.size() >= kMaxMemoryLines ||
        (!costs.memory.empty() && *threads <= costs.memory.back().threads)) {
      return bad(line_, "lines of 'memory' must ascend in threads, at most 64");
    }
    costs.memory.push_back({*threads, *ps});
    return Status::ok();
  }

  Status kernel_line(const std::vector<std::string_view>& words) {
    if (words.size() != 4 + kCostWidths) {
      return bad(line_, quoted(words[0]) +
                            " begins no line of the header, and a kernel's line has 12 words");
    }
    const BitKernel* const kernel = find_kernel(words[0]);
    if (kernel == nullptr || kernel == all_kernels().data()) {
      return bad(line_, quoted(words[0]) + " is no kernel of this build");
    }
    CostPoint point;
    PBATCH_RETURN_IF_ERROR(read_point(words, point));
    if (!seen_.insert({kernel, point.matrix, point.activation, point.batch}).second) {
      return bad(line_, "this product of kernel " + quoted(words[0]) + " is said twice");
    }
    WidthCosts widths{};
    for (std::size_t w = 0; w < widths.size(); ++w) {
      const std::string_view word = words[4 + w];
      if (word == "-") continue;
      const std::optional<double> value = cost(word);
      if (!value) return bad(line_, quoted(word) + " is no cost in picoseconds");
      widths[w] = *value;
    }
    costs.set(*kernel, point, widths);
    if (costs.knows(*kernel)) seen_kernels_.insert(kernel);
    return Status::ok();
  }

  Status read_point(const std::vector<std::string_view>& words, CostPoint& point) const {
    const auto matrix =
        place(kCostMatrices, [&](const CostMatrix& m) { return matrix_name(m) == words[1]; });
    const auto bits = number<int>(words[2]), vectors = number<int>(words[3]);
    const auto activation = place(kCostActivationBits, [&](int b) { return b == bits; });
    const auto batch = place(kCostBatches, [&](int b) { return b == vectors; });
    if (!matrix) return bad(line_, quoted(words[1]) + " is no matrix that costs are measured at");
    if (!activation) return bad(line_, quoted(words[2]) + " activation bits do not exist");
    if (!batch) return bad(line_, quoted(words[3]) + " is no batch that costs are measured at");
    point = {*matrix, *activation, *batch};
    return Status::ok();
  }

  std::string_view text_;
  std::size_t line_ = 0;
  bool titled_ = false;
  std::set<std::tuple<const BitKernel*, std::size_t, std::size_t, std::size_t>> seen_;
  std::set<const BitKernel*> seen_kernels_;
};

std::string print_number(double value) {
  std::array<char, 32> text{};  // four digits of a double always fit
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4);
  return {text.data(), end.ptr};
}

}  // namespace

Result<CostHeader> parse_cost_header(std::string_view text) {
  Parser parser(text);
  PBATCH_RETURN_IF_ERROR(parser.parse(/*header_only=*/true));
  return parser.costs.header;
}

Result<KernelCosts> parse_costs(std::string_view text) {
  Parser parser(text);
  PBATCH_RETURN_IF_ERROR(parser.parse(/*header_only=*/false));
  return std::move(parser.costs);
}

std::string print_costs(const KernelCosts& costs) {
  const CostHeader& h = costs.header;
  std::string out(kTitle);
  out += '\n';
  const auto header_line = [&out](const char* key, const std::string& value) {
    if (!value.empty()) out += std::string(key) + " " + value + "\n";
  };
  header_line("build", h.build);
  header_line("isa", h.isa);
  header_line("cpu", h.cpu);
  header_line("date", h.date);
  for (const MemoryCost& m : costs.memory) {
    out += "memory " + std::to_string(m.threads) + " " + print_number(m.ps_per_byte) + "\n";
  }
  for (const BitKernel& kernel : all_kernels()) {
    for (std::size_t m = 0; m < kCostMatrices.size(); ++m) {
      for (std::size_t a = 0; a < kCostActivationBits.size(); ++a) {
        for (std::size_t b = 0; b < kCostBatches.size(); ++b) {
          const WidthCosts& widths = costs.at(kernel, {m, a, b});
          if (widths == WidthCosts{}) continue;
          out += std::string(kernel.name) + " " + matrix_name(kCostMatrices[m]) + " " +
                 std::to_string(kCostActivationBits[a]) + " " + std::to_string(kCostBatches[b]);
          for (const double cost : widths) out += " " + (cost > 0 ? print_number(cost) : "-");
          out += '\n';
        }
      }
    }
  }
  return out;
}

}  // namespace pbatch
