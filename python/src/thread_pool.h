// ThreadPool: threads that several sessions share.
#pragma once

#include <memory>

#include "pbatch/thread_pool.h"

namespace pbatch::python {

struct PyThreadPool {
  std::shared_ptr<ThreadPool> native;
};

}  // namespace pbatch::python
