// Thread pools from C.
#include <memory>

#include "api/c_guard.h"
#include "api/c_session.h"
#include "pbatch/pbatch.h"
#include "pbatch/thread_pool.h"

using pbatch::Status;

extern "C" {

pbatch_code pbatch_thread_pool_create(const pbatch_thread_pool_options* options,
                                      pbatch_thread_pool** pool, pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (pool == nullptr) return pbatch::null_argument("pool");
    *pool = nullptr;
    pbatch::ThreadPoolOptions chosen;
    if (options != nullptr) {
      if (options->cpu_count > 0 && options->cpus == nullptr) return pbatch::null_argument("cpus");
      chosen.threads = options->threads;
      chosen.cpus.assign(options->cpus, options->cpus + options->cpu_count);
    }
    PBATCH_ASSIGN_OR_RETURN(std::shared_ptr<pbatch::ThreadPool> made,
                            pbatch::make_thread_pool(chosen));
    *pool = new pbatch_thread_pool{std::move(made)};
    return Status::ok();
  });
}

int pbatch_thread_pool_threads(const pbatch_thread_pool* pool) {
  return pool == nullptr ? 0 : pbatch::thread_count(*pool->pool);
}

void pbatch_thread_pool_free(pbatch_thread_pool* pool) { delete pool; }

}  // extern "C"
