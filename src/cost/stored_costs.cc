#include "cost/stored_costs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/output_files.h"
#include "cost/builtin_costs.h"
#include "cost/costs_text.h"
#include "isa/cpu.h"

namespace pbatch {
namespace {

constexpr const char* kBuiltin = "builtin";

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Status cannot(const std::string& what, int error) {
  return {ErrorCode::io, "cannot " + what + ": " + std::strerror(error),
          "mend that, or set PBATCH_KERNEL_COSTS to builtin or to another path"};
}

// $XDG_CACHE_HOME counts if it is absolute: so its specification says.
std::optional<std::string> cache_folder() {
  const std::string xdg = environment("XDG_CACHE_HOME"), home = environment("HOME");
  if (!xdg.empty() && xdg[0] == '/') return xdg + "/pbatch";
  if (!home.empty() && home[0] == '/') return home + "/.cache/pbatch";
  return std::nullopt;
}

std::string adapted_path(const std::string& folder, Isa isa) {
  return folder + "/adapted-costs-" + isa_name(isa) + ".txt";
}

bool is_file(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// The text of a file, up to what parse_costs refuses for its length.
Result<std::string> read_text(const std::string& path) {
  // Not to wait for the other end of a pipe.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return cannot("read this table of kernel costs", errno).in_file(path);
  std::string text(kMaxCostsBytes + 1, '\0');
  std::size_t size = 0;
  int error = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  close(fd);
  if (error != 0) return cannot("read this table of kernel costs", error).in_file(path);
  text.resize(size);
  return text;
}

CostSource builtin(Isa isa, const std::string& why, bool may_adapt) {
  return {builtin_costs_here(isa), why.empty() ? "built-in" : "built-in (" + why + ")", may_adapt};
}

Result<CostSource> parse_table(Isa isa, const std::string& text) {
  PBATCH_ASSIGN_OR_RETURN(KernelCosts costs, parse_costs(text));
  if (costs.header.isa != isa_name(isa)) {
    return Status(ErrorCode::malformed,
                  std::string("costs of the instruction set '") + costs.header.isa + "', but " +
                      isa_name(isa) + " is in use",
                  "measure them with 'pbatch bench --tune', or delete the file");
  }
  costs.caches = cache_sizes();
  const std::string date = costs.header.date.empty() ? "an unknown day" : costs.header.date;
  return CostSource{std::make_shared<const KernelCosts>(std::move(costs)), "tuned on " + date,
                    false};
}

// A table in the cache folder counts where and for what it was measured.
Result<CostSource> parse_cached(Isa isa, const std::string& text) {
  PBATCH_ASSIGN_OR_RETURN(const CostHeader header, parse_cost_header(text));
  if (header.build != build_identity()) {
    return builtin(isa, "the tuned table is of another build of pbatch", true);
  }
  if (header.cpu != cpu_identity()) {
    return builtin(isa, "the tuned table is of another processor", true);
  }
  return parse_table(isa, text);
}

}  // namespace

Result<std::string> tuned_costs_path(Isa isa) {
  const std::string named = environment("PBATCH_KERNEL_COSTS");
  if (!named.empty() && named != kBuiltin) return named;
  const std::optional<std::string> folder = cache_folder();
  if (!folder) {
    return Status(ErrorCode::not_found,
                  "there is no cache folder: neither XDG_CACHE_HOME nor HOME is an absolute path",
                  "set one of them, or PBATCH_KERNEL_COSTS to the path of the table");
  }
  return *folder + "/kernel-costs-" + isa_name(isa) + ".txt";
}

Result<CostSource> load_kernel_costs(Isa isa, const std::string& choice) {
  const std::string named = choice.empty() ? environment("PBATCH_KERNEL_COSTS") : choice;
  if (named == kBuiltin) return builtin(isa, "", false);
  std::string path = named;
  if (path.empty()) {
    const Result<std::string> cached = tuned_costs_path(isa);
    if (!cached || !is_file(*cached)) return builtin(isa, "", true);
    path = *cached;
  }
  PBATCH_ASSIGN_OR_RETURN(const std::string text, read_text(path));
  Result<CostSource> source = named.empty() ? parse_cached(isa, text) : parse_table(isa, text);
  if (!source) return source.status().in_file(path);
  return source;
}

std::optional<CostSource> load_adapted_costs(Isa isa) {
  const std::optional<std::string> folder = cache_folder();
  if (!folder) return std::nullopt;
  const std::string path = adapted_path(*folder, isa);
  if (!is_file(path)) return std::nullopt;
  const Result<std::string> text = read_text(path);
  if (!text) return std::nullopt;
  Result<KernelCosts> costs = parse_costs(*text);
  if (!costs || costs->header.build != build_identity() || costs->header.cpu != cpu_identity() ||
      costs->header.isa != isa_name(isa)) {
    return std::nullopt;
  }
  costs->caches = cache_sizes();
  std::string origin = adapted_origin(*costs);
  return CostSource{std::make_shared<const KernelCosts>(*std::move(costs)), std::move(origin),
                    false};
}

void store_adapted_costs(Isa isa, const KernelCosts& costs) {
  const std::optional<std::string> folder = cache_folder();
  if (!folder) return;
  const std::string path = adapted_path(*folder, isa);
  if (!prepare_tuned_costs(path)) return;
  if (!store_kernel_costs(path, costs)) return;  // the next process measures again
}

std::string adapted_origin(const KernelCosts& costs) { return "adapted on " + costs.header.date; }

Status prepare_tuned_costs(const std::string& path) {
  // Parents of what is missing first. As the specification of XDG_CACHE_HOME says, for the user
  // alone.
  std::vector<std::string> missing;
  std::error_code ignored;
  for (std::filesystem::path folder = std::filesystem::path(path).parent_path();
       !folder.empty() && !std::filesystem::exists(folder, ignored);
       folder = folder.parent_path()) {
    missing.push_back(folder.string());
  }
  while (!missing.empty()) {
    if (mkdir(missing.back().c_str(), 0700) != 0 && errno != EEXIST) {
      return cannot("make this folder", errno).in_file(missing.back());
    }
    missing.pop_back();
  }
  return OutputFiles::check(path);
}

Status store_kernel_costs(const std::string& path, const KernelCosts& costs) {
  OutputFiles files;
  PBATCH_RETURN_IF_ERROR(files.stage(path, print_costs(costs)));
  return files.commit();
}

}  // namespace pbatch
