# Only this folder may use SDOT.
set(neon_dot_flags -march=armv8.2-a+dotprod)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Scheduled before registers are assigned, the sums of a tile do not stay in registers.
  list(APPEND neon_dot_flags -fno-schedule-insns)
endif()
file(GLOB neon_dot_sources ${PROJECT_SOURCE_DIR}/src/kernel/neon_dot/*.cc)
set_source_files_properties(${neon_dot_sources} PROPERTIES COMPILE_OPTIONS "${neon_dot_flags}")
