# Compiled for AVX2 alone: no FMA, so that no float operation can be fused.
file(GLOB avx2_sources ${PROJECT_SOURCE_DIR}/src/kernel/avx2/*.cc)
set_source_files_properties(${avx2_sources} PROPERTIES COMPILE_OPTIONS "-mavx2")
