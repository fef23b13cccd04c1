#include "cli/threads.h"

#include "cli/bits.h"
#include "tools/bench/process_cpus.h"

namespace pbatch::cli {

CLI::Option* add_cpus_option(CLI::App& command, std::string& text) {
  return command.add_option("--cpus", text, "CPUs to run on, one for each thread; default: any")
      ->type_name("LIST");
}

void ThreadFlags::add_to(CLI::App& command) {
  command.add_option("--threads", threads_, "Threads; default: one per CPU")
      ->check(CLI::Range(1, kMaxThreads))
      ->type_name("N");
  cpus_option_ = add_cpus_option(command, cpus_text_);
}

void ThreadFlags::parse() {
  if (cpus_option_->count() == 0) return;
  cpus_ = parse_cpus(cpus_text_);
  if (threads_ > 0 && cpus_.size() != static_cast<std::size_t>(threads_)) {
    throw CLI::ValidationError("--cpus", "'" + cpus_text_ + "' names " +
                                             std::to_string(cpus_.size()) + " CPUs for " +
                                             std::to_string(threads_) + " threads");
  }
}

Result<int> ThreadFlags::settle() const {
  if (!cpus_.empty()) PBATCH_RETURN_IF_ERROR(confine_process(cpus_));
  return threads_ > 0 ? threads_ : process_cpu_count();
}

Result<SessionOptions> ThreadFlags::session_options() const {
  PBATCH_ASSIGN_OR_RETURN(const int threads, settle());
  SessionOptions options;
  PBATCH_ASSIGN_OR_RETURN(options.pool, make_thread_pool({threads, cpus_}));
  return options;
}

}  // namespace pbatch::cli
