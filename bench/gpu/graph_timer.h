// Times of work on a stream: queued many times in one CUDA graph, so that the host's launches do
// not count, and the graph run several times.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <string>
#include <vector>

#include "accelerator/stream.h"
#include "pbatch/status.h"

namespace pbatch::bench {

inline Status check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return Status::ok();
  return {ErrorCode::internal, std::string(doing) + ": " + cudaGetErrorString(error)};
}

/// As the device's calls have it.
inline Stream stream_of(cudaStream_t stream) { return reinterpret_cast<Stream>(stream); }

/// Microseconds for one time of the work.
struct Times {
  double median = 0, least = 0;
};

/// work(i, stream) -> Status queues the i-th of `times` pieces of work.
template <class Work>
Result<Times> time_graph(int times, const Work& work) {
  constexpr int kRounds = 15;
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t runnable = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  std::vector<double> rounds;
  const auto measure = [&]() -> Status {
    PBATCH_RETURN_IF_ERROR(
        check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream"));
    PBATCH_RETURN_IF_ERROR(check(cudaEventCreate(&begin), "event"));
    PBATCH_RETURN_IF_ERROR(check(cudaEventCreate(&end), "event"));
    PBATCH_RETURN_IF_ERROR(
        check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capture"));
    Status status = Status::ok();
    for (int i = 0; i < times && status.is_ok(); ++i) status = work(i, stream);
    const cudaError_t captured = cudaStreamEndCapture(stream, &graph);
    PBATCH_RETURN_IF_ERROR(status);
    PBATCH_RETURN_IF_ERROR(check(captured, "capture"));
    PBATCH_RETURN_IF_ERROR(check(cudaGraphInstantiate(&runnable, graph, 0), "instantiate"));
    for (int round = 0; round < kRounds + 2; ++round) {
      PBATCH_RETURN_IF_ERROR(check(cudaEventRecord(begin, stream), "record"));
      PBATCH_RETURN_IF_ERROR(check(cudaGraphLaunch(runnable, stream), "launch"));
      PBATCH_RETURN_IF_ERROR(check(cudaEventRecord(end, stream), "record"));
      PBATCH_RETURN_IF_ERROR(check(cudaEventSynchronize(end), "run"));
      float milliseconds = 0;
      PBATCH_RETURN_IF_ERROR(check(cudaEventElapsedTime(&milliseconds, begin, end), "elapsed"));
      if (round >= 2) rounds.push_back(1e3 * static_cast<double>(milliseconds) / times);
    }
    return Status::ok();
  };
  const Status status = measure();
  if (runnable != nullptr) (void)cudaGraphExecDestroy(runnable);
  if (graph != nullptr) (void)cudaGraphDestroy(graph);
  if (begin != nullptr) (void)cudaEventDestroy(begin);
  if (end != nullptr) (void)cudaEventDestroy(end);
  if (stream != nullptr) (void)cudaStreamDestroy(stream);
  PBATCH_RETURN_IF_ERROR(status);
  std::sort(rounds.begin(), rounds.end());
  return Times{rounds[rounds.size() / 2], rounds.front()};
}

}  // namespace pbatch::bench
