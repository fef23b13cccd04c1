// A group's network becomes a session.
#pragma once

#include <memory>

#include "graph/graph.h"
#include "pbatch/session.h"
#include "pbatch/status.h"
#include "pbatch/thread_pool.h"
#include "settings.h"

namespace pbatch::ort {

/// Quantizes a float network with plain codes, or takes it from settings.cache, where it is left
/// for the next time. A network of bit-layers stays as it is. Nothing of `graph` is needed later.
Result<Session> load_group(Graph graph, const Settings& settings,
                           const std::shared_ptr<ThreadPool>& pool);

}  // namespace pbatch::ort
