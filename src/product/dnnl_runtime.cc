#include "product/dnnl_runtime.h"

#include "base/fork.h"

// OpenMP's own interface. <omp.h> belongs to the compiler, and not every one has it.
extern "C" {
int omp_get_max_threads(void);
void omp_set_num_threads(int threads);
int omp_pause_resource_all(int kind);
}

namespace pbatch {
namespace {

// A forked child would wait for ever for the threads that its parent's loops left waiting for more.
// Without them both sides start new ones at the next loop.
void end_idle_omp_threads() {
  constexpr int kHard = 2;  // omp_pause_hard
  omp_pause_resource_all(kHard);
}

}  // namespace

const dnnl::engine& dnnl_cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

OmpThreads::OmpThreads(int threads) : before_(omp_get_max_threads()) {
  static const bool registered = (before_fork(end_idle_omp_threads), true);
  static_cast<void>(registered);
  if (threads != before_) omp_set_num_threads(threads);
}

OmpThreads::~OmpThreads() {
  if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
}

dnnl::primitive_attr dnnl_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::memory dnnl_view(const dnnl::memory::desc& desc, const void* data) {
  return {desc, dnnl_cpu(), const_cast<void*>(data)};
}

Status dnnl_execute(const dnnl::primitive& primitive, const dnnl::memory::desc& scratch,
                    DnnlArgs args, BufferPool& buffers) {
  std::shared_ptr<void> memory;
  if (const std::size_t bytes = scratch.get_size(); bytes != 0) {
    memory = buffers.take(bytes);
    if (memory == nullptr) {
      return {ErrorCode::out_of_memory,
              "no memory for " + std::to_string(bytes) + " bytes of scratch space",
              "use a smaller batch"};
    }
    args.emplace(DNNL_ARG_SCRATCHPAD, dnnl_view(scratch, memory.get()));
  }
  dnnl::stream stream(dnnl_cpu());
  primitive.execute(stream, args);
  stream.wait();
  return Status::ok();
}

dnnl::memory dnnl_reordered(const dnnl::memory& from, const dnnl::memory::desc& desc) {
  dnnl::memory to(desc, dnnl_cpu());
  dnnl::stream stream(dnnl_cpu());
  dnnl::memory source = from;
  dnnl::reorder(source, to).execute(stream, source, to);
  stream.wait();
  return to;
}

Status dnnl_status(const dnnl::error& error, const std::string& what) {
  const std::string message = "oneDNN refuses " + what + ": " + error.what();
  switch (error.status) {
    case dnnl_out_of_memory:
      return {ErrorCode::out_of_memory, message, "use a smaller batch"};
    case dnnl_unimplemented:
    case dnnl_invalid_arguments:
      return {ErrorCode::unsupported, message, "use other attributes or shapes for this node"};
    default:
      return {ErrorCode::internal, message, "report this with the network's shapes"};
  }
}

}  // namespace pbatch
