// What programs compiled against an earlier header rely on (docs/promises.md): a line here is only
// ever added.
#include <gtest/gtest.h>

#include <cstddef>

#include "pbatch/pbatch.h"

namespace {

#define PBATCH_EXPECT_SIZE(type, bytes) EXPECT_EQ(sizeof(type), bytes##U) << #type
#define PBATCH_EXPECT_OFFSET(type, member, bytes) \
  EXPECT_EQ(offsetof(type, member), bytes##U) << #type "." #member

#if defined(__LP64__)
TEST(CAbi, StructsKeepTheirLayout) {
  PBATCH_EXPECT_SIZE(pbatch_error, 1028);
  PBATCH_EXPECT_OFFSET(pbatch_error, code, 0);
  PBATCH_EXPECT_OFFSET(pbatch_error, message, 4);
  PBATCH_EXPECT_SIZE(pbatch_thread_pool_options, 24);
  PBATCH_EXPECT_OFFSET(pbatch_thread_pool_options, threads, 0);
  PBATCH_EXPECT_OFFSET(pbatch_thread_pool_options, cpus, 8);
  PBATCH_EXPECT_OFFSET(pbatch_thread_pool_options, cpu_count, 16);
  PBATCH_EXPECT_SIZE(pbatch_session_options, 24);
  PBATCH_EXPECT_OFFSET(pbatch_session_options, threads, 0);
  PBATCH_EXPECT_OFFSET(pbatch_session_options, float_backend, 4);
  PBATCH_EXPECT_OFFSET(pbatch_session_options, pool, 8);
  PBATCH_EXPECT_OFFSET(pbatch_session_options, device, 16);
  PBATCH_EXPECT_OFFSET(pbatch_session_options, device_index, 20);
  PBATCH_EXPECT_SIZE(pbatch_device_info, 24);
  PBATCH_EXPECT_OFFSET(pbatch_device_info, kind, 0);
  PBATCH_EXPECT_OFFSET(pbatch_device_info, index, 4);
  PBATCH_EXPECT_OFFSET(pbatch_device_info, name, 8);
  PBATCH_EXPECT_OFFSET(pbatch_device_info, reason, 16);
  PBATCH_EXPECT_SIZE(pbatch_port, 32);
  PBATCH_EXPECT_OFFSET(pbatch_port, name, 0);
  PBATCH_EXPECT_OFFSET(pbatch_port, dtype, 8);
  PBATCH_EXPECT_OFFSET(pbatch_port, rank, 16);
  PBATCH_EXPECT_OFFSET(pbatch_port, shape, 24);
  PBATCH_EXPECT_SIZE(pbatch_layer, 64);
  PBATCH_EXPECT_OFFSET(pbatch_layer, name, 0);
  PBATCH_EXPECT_OFFSET(pbatch_layer, op_type, 8);
  PBATCH_EXPECT_OFFSET(pbatch_layer, rows, 16);
  PBATCH_EXPECT_OFFSET(pbatch_layer, cols, 24);
  PBATCH_EXPECT_OFFSET(pbatch_layer, group, 32);
  PBATCH_EXPECT_OFFSET(pbatch_layer, planes_stored, 36);
  PBATCH_EXPECT_OFFSET(pbatch_layer, planes_available, 40);
  PBATCH_EXPECT_OFFSET(pbatch_layer, min_weight_bits, 44);
  PBATCH_EXPECT_OFFSET(pbatch_layer, plane_bytes, 48);
  PBATCH_EXPECT_OFFSET(pbatch_layer, scale_bytes, 56);
  PBATCH_EXPECT_SIZE(pbatch_bits, 8);
  PBATCH_EXPECT_OFFSET(pbatch_bits, weight_bits, 0);
  PBATCH_EXPECT_OFFSET(pbatch_bits, activation_bits, 4);
  PBATCH_EXPECT_SIZE(pbatch_layer_bits, 16);
  PBATCH_EXPECT_OFFSET(pbatch_layer_bits, layer, 0);
  PBATCH_EXPECT_OFFSET(pbatch_layer_bits, bits, 8);
  PBATCH_EXPECT_SIZE(pbatch_precision, 24);
  PBATCH_EXPECT_OFFSET(pbatch_precision, all, 0);
  PBATCH_EXPECT_OFFSET(pbatch_precision, layers, 8);
  PBATCH_EXPECT_OFFSET(pbatch_precision, layer_count, 16);
  PBATCH_EXPECT_SIZE(pbatch_tensor, 48);
  PBATCH_EXPECT_OFFSET(pbatch_tensor, name, 0);
  PBATCH_EXPECT_OFFSET(pbatch_tensor, dtype, 8);
  PBATCH_EXPECT_OFFSET(pbatch_tensor, rank, 16);
  PBATCH_EXPECT_OFFSET(pbatch_tensor, shape, 24);
  PBATCH_EXPECT_OFFSET(pbatch_tensor, data, 32);
  PBATCH_EXPECT_OFFSET(pbatch_tensor, bytes, 40);
  PBATCH_EXPECT_SIZE(pbatch_input_shape, 24);
  PBATCH_EXPECT_OFFSET(pbatch_input_shape, name, 0);
  PBATCH_EXPECT_OFFSET(pbatch_input_shape, rank, 8);
  PBATCH_EXPECT_OFFSET(pbatch_input_shape, shape, 16);
  PBATCH_EXPECT_SIZE(pbatch_plan_step, 104);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, node, 0);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, op_type, 8);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, kernel, 16);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, planned, 24);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, rank, 32);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, shape, 40);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, bits, 48);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, rows, 56);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, cols, 64);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, macs, 72);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, weight_bytes, 80);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, repack, 88);
  PBATCH_EXPECT_OFFSET(pbatch_plan_step, predicted_us, 96);
  PBATCH_EXPECT_SIZE(pbatch_weight_memory, 24);
  PBATCH_EXPECT_OFFSET(pbatch_weight_memory, bytes, 0);
  PBATCH_EXPECT_OFFSET(pbatch_weight_memory, limit, 8);
  PBATCH_EXPECT_OFFSET(pbatch_weight_memory, given_up, 16);
  PBATCH_EXPECT_SIZE(pbatch_quantize_options, 40);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_options, planes, 0);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_options, group, 4);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_options, min_elements, 8);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_options, exclude, 16);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_options, exclude_count, 24);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_options, threads, 32);
  PBATCH_EXPECT_SIZE(pbatch_code_options, 24);
  PBATCH_EXPECT_OFFSET(pbatch_code_options, floor_bits, 0);
  PBATCH_EXPECT_OFFSET(pbatch_code_options, scheme, 4);
  PBATCH_EXPECT_OFFSET(pbatch_code_options, samples, 8);
  PBATCH_EXPECT_OFFSET(pbatch_code_options, sample_count, 16);
  PBATCH_EXPECT_SIZE(pbatch_quantize_summary, 40);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_summary, layers_quantized, 0);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_summary, layers_float, 8);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_summary, float_bytes, 16);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_summary, model_bytes, 24);
  PBATCH_EXPECT_OFFSET(pbatch_quantize_summary, data_bytes, 32);
}
#endif

TEST(CAbi, ValuesKeepTheirMeaning) {
  EXPECT_EQ(PBATCH_OK, 0);
  EXPECT_EQ(PBATCH_INVALID_ARGUMENT, 1);
  EXPECT_EQ(PBATCH_NOT_FOUND, 2);
  EXPECT_EQ(PBATCH_IO, 3);
  EXPECT_EQ(PBATCH_MALFORMED, 4);
  EXPECT_EQ(PBATCH_UNSUPPORTED, 5);
  EXPECT_EQ(PBATCH_SHAPE_MISMATCH, 6);
  EXPECT_EQ(PBATCH_PRECISION_UNAVAILABLE, 7);
  EXPECT_EQ(PBATCH_NOT_FINITE, 8);
  EXPECT_EQ(PBATCH_OUT_OF_MEMORY, 9);
  EXPECT_EQ(PBATCH_INTERNAL, 10);
  EXPECT_EQ(PBATCH_F32, 0);
  EXPECT_EQ(PBATCH_F64, 1);
  EXPECT_EQ(PBATCH_F16, 2);
  EXPECT_EQ(PBATCH_BF16, 3);
  EXPECT_EQ(PBATCH_I8, 4);
  EXPECT_EQ(PBATCH_U8, 5);
  EXPECT_EQ(PBATCH_I16, 6);
  EXPECT_EQ(PBATCH_U16, 7);
  EXPECT_EQ(PBATCH_I32, 8);
  EXPECT_EQ(PBATCH_U32, 9);
  EXPECT_EQ(PBATCH_I64, 10);
  EXPECT_EQ(PBATCH_U64, 11);
  EXPECT_EQ(PBATCH_BOOL, 12);
  EXPECT_EQ(PBATCH_BACKEND_FASTEST, 0);
  EXPECT_EQ(PBATCH_BACKEND_ONEDNN, 1);
  EXPECT_EQ(PBATCH_BACKEND_OPENBLAS, 2);
  EXPECT_EQ(PBATCH_DEVICE_CPU, 0);
  EXPECT_EQ(PBATCH_DEVICE_CUDA, 1);
  EXPECT_EQ(PBATCH_DEVICE_AUTO, 2);
  EXPECT_EQ(PBATCH_SCHEME_AUTO, 0);
  EXPECT_EQ(PBATCH_SCHEME_PLAIN, 1);
  EXPECT_EQ(PBATCH_SCHEME_COMPENSATED, 2);
}

}  // namespace
