#include "feed/match_ports.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <string>

namespace pbatch {
namespace {

using Matches = std::vector<std::optional<std::size_t>>;

// An output's shape may be undeclared, and then fits everything.
bool compatible(const PortInfo& in, const PortInfo& out) {
  if (in.dtype != out.dtype) return false;
  if (out.shape.empty()) return true;
  if (in.shape.size() != out.shape.size()) return false;
  for (std::size_t i = 0; i < in.shape.size(); ++i) {
    if (in.shape[i] >= 0 && out.shape[i] >= 0 && in.shape[i] != out.shape[i]) return false;
  }
  return true;
}

// The words that tell an input from an output, and nothing of what it holds.
bool tells_direction(const std::string& word) {
  static const char* const words[] = {"in",   "out",      "input",   "output",  "init",   "initial",
                                      "prev", "previous", "next",    "new",     "past",   "cur",
                                      "last", "present",  "current", "final",   "x",      "y",
                                      "enc",  "dec",      "n",       "encoder", "decoder"};
  return std::any_of(std::begin(words), std::end(words), [&](const char* w) { return word == w; });
}

// The name in lower case without such words and without what separates words.
std::string base_name(const std::string& name) {
  std::string base, word;
  const auto finish = [&] {
    if (!word.empty() && !tells_direction(word)) base += (base.empty() ? "" : " ") + word;
    word.clear();
  };
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      word += static_cast<char>(std::tolower(byte));
    } else {
      finish();
    }
  }
  finish();
  return base;
}

std::string without_end(std::string text, char end) {
  if (!text.empty() && text.back() == end) text.pop_back();
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// Pairs an input and an output that suit each other and nothing else that is still free.
void match_unique(std::size_t outputs, Matches* matches,
                  const std::function<bool(std::size_t, std::size_t)>& suit) {
  std::vector<bool> taken(outputs, false);
  for (const auto& m : *matches) {
    if (m) taken[*m] = true;
  }
  Matches found = *matches;
  std::vector<int> suitors(outputs, 0);
  std::vector<int> choices(matches->size(), 0);
  for (std::size_t i = 0; i < matches->size(); ++i) {
    for (std::size_t o = 0; o < outputs; ++o) {
      if ((*matches)[i] || taken[o] || !suit(i, o)) continue;
      ++suitors[o];
      ++choices[i];
      found[i] = o;
    }
  }
  for (std::size_t i = 0; i < matches->size(); ++i) {
    if (!(*matches)[i] && choices[i] == 1 && suitors[*found[i]] == 1) (*matches)[i] = found[i];
  }
}

bool same_base(const PortInfo& in, const PortInfo& out) {
  return compatible(in, out) && base_name(in.name) == base_name(out.name);
}

// As "h0" and "hn".
bool first_and_last(const PortInfo& in, const PortInfo& out) {
  return compatible(in, out) &&
         without_end(base_name(in.name), '0') == without_end(base_name(out.name), 'n');
}

}  // namespace

bool is_state_by_name(const PortInfo& input, const std::vector<PortInfo>& outputs) {
  if (without_end(base_name(input.name), '0').empty()) return false;
  return std::any_of(outputs.begin(), outputs.end(), [&](const PortInfo& output) {
    return same_base(input, output) || first_and_last(input, output);
  });
}

Matches match_ports(const std::vector<PortInfo>& inputs, const std::vector<PortInfo>& outputs) {
  Matches matches(inputs.size());
  match_unique(outputs.size(), &matches,
               [&](std::size_t i, std::size_t o) { return same_base(inputs[i], outputs[o]); });
  match_unique(outputs.size(), &matches,
               [&](std::size_t i, std::size_t o) { return first_and_last(inputs[i], outputs[o]); });
  match_unique(outputs.size(), &matches,
               [&](std::size_t i, std::size_t o) { return compatible(inputs[i], outputs[o]); });
  return matches;
}

}  // namespace pbatch
