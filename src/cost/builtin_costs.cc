#include "cost/builtin_costs.h"

#include <array>
#include <map>
#include <span>
#include <utility>

#include "cost/costs_text.h"
#include "isa/caches.h"
#include "isa/cpu.h"

namespace pbatch {
namespace {

struct Builtin {
  Isa isa;
  std::string_view text;
};

// One for each file costs/<isa>.inc of this architecture; CMake writes the list.
constexpr Builtin kBuiltins[] = {
#include "cost/costs_of_isas.inc"
};

struct OfMaker {
  Isa isa;
  std::string_view maker, text;
};

#if defined(__x86_64__)
constexpr OfMaker kOfMakers[] = {
    {
        Isa::avx2,
        "amd",
#include "cost/maker_costs/avx2_amd.inc"
    },
    {
        Isa::avx512,
        "amd",
#include "cost/maker_costs/avx512_amd.inc"
    },
};
std::span<const OfMaker> tables_of_makers() { return kOfMakers; }
#else
std::span<const OfMaker> tables_of_makers() { return {}; }
#endif

using Tables = std::array<std::shared_ptr<const KernelCosts>, std::size(kBuiltins) + 1>;

std::shared_ptr<const KernelCosts> with_caches_here(KernelCosts costs) {
  costs.caches = cache_sizes();
  return std::make_shared<const KernelCosts>(std::move(costs));
}

Tables parse_all() {
  Tables tables;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::string_view text = i < std::size(kBuiltins) ? kBuiltins[i].text : "";
    Result<KernelCosts> costs = parse_costs(text);  // the tests see to it that those of ISAs parse
    tables[i] = std::make_shared<const KernelCosts>(costs ? std::move(*costs) : KernelCosts{});
  }
  return tables;
}

}  // namespace

std::string_view builtin_costs_text(Isa isa) {
  for (const Builtin& builtin : kBuiltins) {
    if (builtin.isa == isa) return builtin.text;
  }
  return {};
}

std::string_view builtin_costs_text(Isa isa, std::string_view maker) {
  for (const OfMaker& table : tables_of_makers()) {
    if (table.isa == isa && table.maker == maker) return table.text;
  }
  return {};
}

std::shared_ptr<const KernelCosts> builtin_costs_here(Isa isa) {
  static const std::map<Isa, std::shared_ptr<const KernelCosts>> tables = [] {
    std::map<Isa, std::shared_ptr<const KernelCosts>> made;
    for (const OfMaker& table : tables_of_makers()) {
      if (table.maker != cpu_maker()) continue;
      Result<KernelCosts> costs = parse_costs(table.text);
      if (costs) made[table.isa] = with_caches_here(*std::move(costs));
    }
    for (const Builtin& builtin : kBuiltins) {
      if (!made.contains(builtin.isa)) {
        made[builtin.isa] = with_caches_here(*builtin_costs(builtin.isa));
      }
    }
    return made;
  }();
  const auto found = tables.find(isa);
  return found == tables.end() ? builtin_costs(isa) : found->second;
}

std::shared_ptr<const KernelCosts> builtin_costs(Isa isa) {
  static const Tables tables = parse_all();
  for (std::size_t i = 0; i < std::size(kBuiltins); ++i) {
    if (kBuiltins[i].isa == isa) return tables[i];
  }
  return tables.back();
}

}  // namespace pbatch
