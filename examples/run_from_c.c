/* run_from_c NETWORK.onnx OUT.onnx: quantizes a network of one float input into OUT.onnx, then
 * runs it on zeros at 2 and at 8 bits. */
#include <stdio.h>
#include <stdlib.h>

#include "pbatch/pbatch.h"

static int failed(const pbatch_error* error) {
  fprintf(stderr, "%s: %s\n", pbatch_code_name(error->code), error->message);
  return 1;
}

static int run_at(const pbatch_session* session, int bits) {
  pbatch_error error;
  pbatch_port port;
  if (pbatch_input(session, 0, &port, &error) != PBATCH_OK) return failed(&error);

  /* A free dimension is the batch: one item here. */
  int64_t shape[8];
  size_t count = 1;
  if (port.rank > 8 || port.dtype != PBATCH_F32) return 1;
  for (size_t i = 0; i < port.rank; ++i) {
    shape[i] = port.shape[i] < 0 ? 1 : port.shape[i];
    count *= (size_t)shape[i];
  }
  float* values = calloc(count, sizeof *values);
  if (values == NULL) return 1;

  pbatch_tensor input = {port.name, port.dtype, port.rank, shape, values, count * sizeof *values};
  pbatch_precision precision = {{bits, 16}, NULL, 0};
  pbatch_outputs* outputs = NULL;
  pbatch_code code = pbatch_run(session, &input, 1, &precision, &outputs, &error);
  free(values);
  if (code != PBATCH_OK) return failed(&error);

  pbatch_tensor result;
  if (pbatch_outputs_get(outputs, 0, &result, &error) != PBATCH_OK) return failed(&error);
  printf("%d bits: %s[0] = %g\n", bits, result.name, ((const float*)result.data)[0]);
  pbatch_outputs_free(outputs);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: run_from_c NETWORK.onnx OUT.onnx\n");
    return 2;
  }
  pbatch_error error;
  pbatch_quantize_summary summary;
  if (pbatch_quantize(argv[1], argv[2], NULL, &summary, &error) != PBATCH_OK) {
    return failed(&error);
  }
  printf("%zu layers quantized\n", summary.layers_quantized);

  pbatch_session* session = NULL;
  if (pbatch_session_load(argv[2], NULL, &session, &error) != PBATCH_OK) return failed(&error);
  int status = run_at(session, 2);
  if (status == 0) status = run_at(session, 8);
  pbatch_session_free(session);
  return status;
}
