// Session::quantize_in_memory, which needs more than sessions do.
#include <utility>

#include "api/quantize_loaded.h"
#include "format/model_file.h"
#include "pbatch/quantize.h"
#include "pbatch/session.h"

namespace pbatch {

Result<Session> Session::quantize_in_memory(const std::string& path,
                                            const QuantizeOptions& quantize,
                                            const SessionOptions& options) {
  PBATCH_ASSIGN_OR_RETURN(Graph graph, load_model(path));
  QuantizeOptions chosen = quantize;
  if (chosen.scheme == Scheme::automatic) chosen.scheme = Scheme::plain;  // loading is not to wait
  if (auto report = quantize_loaded(graph, chosen); !report) return report.status();
  return from_graph(std::move(graph), options);
}

}  // namespace pbatch
