#include "tools/io/sequence_pairs.h"

#include <string_view>
#include <utility>

#include "tools/io/text_file.h"

namespace pbatch {
namespace {

Result<SequencePair> parse_line(std::string_view line, std::size_t number) {
  SequencePair pair;
  pair.line = number;
  bool first = true;
  for (;;) {
    const std::size_t tab = line.find('\t');
    TokenSequence sequence;
    PBATCH_RETURN_IF_ERROR(parse_integers(line.substr(0, tab), &sequence));
    if (first) {
      pair.source = std::move(sequence);
    } else {
      pair.references.push_back(std::move(sequence));
    }
    first = false;
    if (tab == std::string_view::npos) break;
    line.remove_prefix(tab + 1);
  }
  if (pair.source.empty() || pair.references.empty()) {
    return Status(ErrorCode::malformed,
                  pair.source.empty() ? "no source stands there" : "no reference stands there",
                  "write the source, a tab and the reference, each as numbers with spaces between");
  }
  return pair;
}

}  // namespace

Result<std::vector<SequencePair>> read_sequence_pairs(const std::string& path) {
  PBATCH_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
  std::vector<SequencePair> pairs;
  std::string_view left = text;
  for (std::size_t number = 1; !left.empty(); ++number) {
    const std::size_t end = left.find('\n');
    std::string_view line = left.substr(0, end);
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    if (line.find_first_not_of(" \r") == std::string_view::npos) continue;
    auto pair = parse_line(line, number);
    if (!pair) {
      return Status(pair.status().code(),
                    "line " + std::to_string(number) + ": " + pair.status().message(),
                    pair.status().remedy())
          .in_file(path);
    }
    pairs.push_back(std::move(pair).value());
  }
  if (pairs.empty()) {
    return Status(ErrorCode::malformed, "it holds no pairs",
                  "write the source, a tab and the reference in each line")
        .in_file(path);
  }
  return pairs;
}

}  // namespace pbatch
