# AVX-512F brings fused products with it; -ffp-contract=off (pbatch_flags) keeps them out.
set(avx512_flags -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi -mavx512vnni
                 -mavx512vpopcntdq -mgfni)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns of the operands that its own intrinsics leave undefined on purpose.
  list(APPEND avx512_flags -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
file(GLOB avx512_sources ${PROJECT_SOURCE_DIR}/src/kernel/avx512/*.cc)
set_source_files_properties(${avx512_sources} PROPERTIES COMPILE_OPTIONS "${avx512_flags}")
