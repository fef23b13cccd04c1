// The objects behind the opaque pointers of the C interface.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pbatch/pbatch.h"
#include "pbatch/session.h"
#include "pbatch/tensor.h"
#include "pbatch/thread_pool.h"

struct pbatch_session {
  explicit pbatch_session(pbatch::Session s) : session(std::move(s)) {}
  pbatch::Session session;
};

struct pbatch_thread_pool {
  std::shared_ptr<pbatch::ThreadPool> pool;
};

struct pbatch_outputs {
  std::vector<std::string> names;
  std::vector<pbatch::Tensor> tensors;
};
