// oneDNN as the operators use it: one engine, errors as values, threads as asked.
#pragma once

#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>

#include "base/buffer_pool.h"
#include "pbatch/status.h"

namespace pbatch {

/// The CPU. Throws dnnl::error if oneDNN cannot start.
const dnnl::engine& dnnl_cpu();

/// Number of threads of the oneDNN loops that this thread starts, for the life
/// of the object. The caller's own setting comes back afterwards.
class OmpThreads {
 public:
  explicit OmpThreads(int threads);
  ~OmpThreads();
  OmpThreads(const OmpThreads&) = delete;
  OmpThreads& operator=(const OmpThreads&) = delete;

 private:
  int before_;
};

/// Attributes of every primitive here: scratch memory belongs to the caller of
/// execute, so that one primitive serves many threads at once.
dnnl::primitive_attr dnnl_attributes();

using DnnlArgs = std::unordered_map<int, dnnl::memory>;

/// Memory of the caller under a oneDNN description.
dnnl::memory dnnl_view(const dnnl::memory::desc& desc, const void* data);

/// Executes and waits; scratch memory comes from `buffers`. Throws dnnl::error.
Status dnnl_execute(const dnnl::primitive& primitive, const dnnl::memory::desc& scratch,
                    DnnlArgs args, BufferPool& buffers);

/// A copy of `from` in the format `desc`. Throws dnnl::error.
dnnl::memory dnnl_reordered(const dnnl::memory& from, const dnnl::memory::desc& desc);

/// What a thrown error becomes; `what` names the operation.
Status dnnl_status(const dnnl::error& error, const std::string& what);

/// Calls `body`, which returns a Status and may throw what oneDNN throws.
/// `what`, a function, names the operation if it fails.
template <class What, class Body>
Status dnnl_guarded(const What& what, const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    return dnnl_status(error, what());
  } catch (const std::bad_alloc&) {
    return {ErrorCode::out_of_memory, "no memory for " + what(), "use a smaller batch"};
  }
}

}  // namespace pbatch
