// What a published number has to carry: the machine, the settings, the date.
#pragma once

#include <string>

#include "pbatch/status.h"

namespace pbatch {

struct RunConditions {
  std::string cpu;  ///< the processor's name
  int cores = 0;    ///< cores this process may run on
  std::string isa;  ///< instruction set in use
  int threads = 0;
  std::string date;     ///< "2026-11-22 18:30 UTC"
  std::string command;  ///< the command line
};

/// Fails only if PBATCH_ISA names an instruction set that cannot run.
Result<RunConditions> run_conditions(int threads, const std::string& command);

}  // namespace pbatch
