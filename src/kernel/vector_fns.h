// Functions of vectors of the ISA in use.
#pragma once

#include "isa/isa.h"
#include "kernel/registry.h"

namespace pbatch {

/// The portable ones if PBATCH_ISA names none that runs here, which is an error elsewhere.
inline const VectorFns& vector_fns() {
  static const Result<IsaChoice> isa = select_isa();
  return *vectors_for(isa.is_ok() ? *isa : IsaChoice(Isa::generic)).fns;
}

}  // namespace pbatch
