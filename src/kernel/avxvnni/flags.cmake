# AVX2 with 256-bit VNNI and GFNI: no FMA, so that no float operation can be fused.
file(GLOB avxvnni_sources ${PROJECT_SOURCE_DIR}/src/kernel/avxvnni/*.cc)
set_source_files_properties(${avxvnni_sources} PROPERTIES COMPILE_OPTIONS "-mavx2;-mavxvnni;-mgfni")
