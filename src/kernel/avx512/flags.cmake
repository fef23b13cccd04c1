# -ffp-contract=off (pbatch_flags) keeps products and sums apart, though AVX-512F can fuse them.
# GCC 12 takes the deliberately undefined operand inside its own intrinsics for a mistake.
file(GLOB avx512_sources ${CMAKE_SOURCE_DIR}/src/kernel/avx512/*.cc)
set_source_files_properties(${avx512_sources} PROPERTIES COMPILE_OPTIONS
  "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vbmi;-mavx512vnni;-mavx512vpopcntdq;-mgfni;-mprefer-vector-width=512;-Wno-maybe-uninitialized;-Wno-uninitialized")
