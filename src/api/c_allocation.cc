// Bit allocations from C.
#include <memory>
#include <string>
#include <vector>

#include "api/c_guard.h"
#include "api/c_session.h"
#include "pbatch/pbatch.h"
#include "pbatch/precision.h"

struct pbatch_allocation {
  pbatch::Precision precision;  // whose names `layers` points to
  std::vector<pbatch_layer_bits> layers;
  pbatch_precision view;
};

using pbatch::Status;

extern "C" {

pbatch_code pbatch_allocation_load(const pbatch_session* session, const char* path,
                                   pbatch_allocation** allocation, pbatch_error* error) {
  return pbatch::guard_c(error, [&]() -> Status {
    if (allocation == nullptr) return pbatch::null_argument("allocation");
    *allocation = nullptr;
    if (session == nullptr) return pbatch::null_argument("session");
    if (path == nullptr) return pbatch::null_argument("path");
    auto made = std::make_unique<pbatch_allocation>();
    PBATCH_ASSIGN_OR_RETURN(made->precision,
                            pbatch::Precision::from_allocation(path, session->session));
    for (const auto& [name, bits] : made->precision.layers) {
      made->layers.push_back({name.c_str(), {bits.weight_bits, bits.activation_bits}});
    }
    const pbatch::LayerPrecision& all = made->precision.all;
    made->view = {{all.weight_bits, all.activation_bits}, made->layers.data(), made->layers.size()};
    *allocation = made.release();
    return Status::ok();
  });
}

const pbatch_precision* pbatch_allocation_precision(const pbatch_allocation* allocation) {
  return allocation == nullptr ? nullptr : &allocation->view;
}

void pbatch_allocation_free(pbatch_allocation* allocation) { delete allocation; }

}  // extern "C"
