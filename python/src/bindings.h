// Each adds one class, or the functions of one page, to the module.
#pragma once

#include <nanobind/nanobind.h>

namespace pbatch::python {

void bind_cascade(nanobind::module_& m);
void bind_layer(nanobind::module_& m);
void bind_layer_report(nanobind::module_& m);
void bind_model(nanobind::module_& m);
void bind_node_arg(nanobind::module_& m);
void bind_plan_step(nanobind::module_& m);
void bind_quantize(nanobind::module_& m);
void bind_session(nanobind::module_& m);
void bind_step_time(nanobind::module_& m);
void bind_thread_pool(nanobind::module_& m);
void bind_weight_memory(nanobind::module_& m);

}  // namespace pbatch::python
