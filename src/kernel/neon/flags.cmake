if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Scheduled before registers are assigned, the sums of a tile do not stay in registers.
  file(GLOB neon_sources ${PROJECT_SOURCE_DIR}/src/kernel/neon/*.cc)
  set_source_files_properties(${neon_sources} PROPERTIES COMPILE_OPTIONS "-fno-schedule-insns")
endif()
