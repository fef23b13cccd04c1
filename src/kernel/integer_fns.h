// The steps of integer networks as functions, one set per ISA; all give the same bits.
#pragma once

#include "kernel/integer_codes.h"
#include "kernel/integer_recurrent.h"

namespace pbatch {

struct IntegerFns {
  pb_stepper stepper;  ///< multiplies by tiles where there are some
  void (*linear)(const pb_multiplier* m, const pb_product* p, int32_t vectors, const int32_t* x,
                 int32_t* y, void* scratch);
  void (*convolve)(const pb_multiplier* m, const pb_convolution* c, const int32_t* x, int32_t* y,
                   void* scratch);
  void (*pool)(const pb_pool* a, const int32_t* x, int32_t* y);
  void (*rescale)(const pb_rescale* a, const int32_t* x, int32_t* y);
  void (*sqrt)(const pb_rescale* a, const int32_t* x, int32_t* y);
  void (*binary)(const pb_binary* s, const int32_t* a, const int32_t* b, int32_t* y);
  void (*table)(const pb_table* t, const int32_t* x, int32_t* y);
  void (*move)(const pb_move* m, const int32_t* x, int32_t* y);
  void (*place)(const pb_move* m, const int32_t* x, int32_t* y);
  void (*lookup)(const pb_lookup* l, const int32_t* x, int32_t* y);
  void (*reduce)(const pb_reduce* a, const int32_t* x, int32_t* y);
  void (*softmax)(const pb_softmax* s, const int32_t* x, int32_t* y);
  void (*layer_norm)(const pb_layer_norm* a, const int32_t* x, int32_t* y);
  void (*matmul)(const pb_matmul* s, const int32_t* a, const int32_t* b, int32_t* y);
  void (*recurrent)(const pb_stepper* s, const pb_recurrent* r, const pb_recurrent_data* d,
                    void* scratch);
  void (*magnitude)(const pb_rescale* a, const int32_t* x, const int32_t* y, int32_t* z);
  void (*levels)(const pb_levels* l, const int32_t* x, int32_t* y);
};

}  // namespace pbatch
