set(PBATCH_MODULES "" CACHE INTERNAL "")

add_library(pbatch_flags INTERFACE)
set(flags
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>   # GCC 12: false alarms inside std::string
  -ffp-contract=off                       # float results must not depend on the ISA
  -fno-trapping-math                      # vector code for loops with a choice; nobody reads the flags
  $<$<BOOL:${PBATCH_WERROR}>:-Werror>)
target_compile_options(pbatch_flags INTERFACE "$<$<COMPILE_LANGUAGE:C,CXX>:${flags}>")
if(PBATCH_SANITIZE)
  target_compile_options(pbatch_flags INTERFACE
    "$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${PBATCH_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  target_link_options(pbatch_flags INTERFACE -fsanitize=${PBATCH_SANITIZE})
endif()

# Headers that most files of a target read are compiled once. Not where warnings are errors: GCC 12
# then does not know a system header's code any more, and has false alarms inside std::string. So the
# builds of CI see a file that includes too little. The kernels are compiled without (weak_symbols.sh).
function(pbatch_precompile target)
  if(PBATCH_PRECOMPILE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT PBATCH_WERROR)
    target_precompile_headers(${target} PRIVATE ${ARGN})
    # The first so that ccache knows what was read (with CCACHE_SLOPPINESS=pch_defines,time_macros).
    target_compile_options(${target} PRIVATE
      "$<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess;-Wno-stringop-overflow;-Wno-array-bounds>")
  endif()
endfunction()

# Several sources of a target are compiled as one, so that what they all include is read once. A source
# with options of its own stays alone. lint.names keeps names of unnamed namespaces apart.
function(pbatch_unity target sources_together)
  if(PBATCH_UNITY)
    set_target_properties(${target} PROPERTIES
      UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${sources_together})
    # GCC takes a source that is included for a header, which others include too.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# pbatch_module(NAME [DEPENDS modules...] [LINKS targets...])
# Makes the static library pbatch_NAME of src/NAME/**.cc.
function(pbatch_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINKS;SOURCES" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB_RECURSE ARG_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  endif()
  if(NOT ARG_SOURCES)
    message(STATUS "module ${name} has no sources yet")
    add_library(pbatch_${name} INTERFACE)
    set(scope INTERFACE)
  else()
    add_library(pbatch_${name} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    if(NOT name STREQUAL "kernel")   # most of its time goes into code, and weak_symbols.sh looks at each object
      pbatch_unity(pbatch_${name} 16)
    endif()
  endif()
  target_include_directories(pbatch_${name} ${scope} ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  list(TRANSFORM ARG_DEPENDS PREPEND pbatch_)
  target_link_libraries(pbatch_${name} ${scope} ${ARG_DEPENDS} ${ARG_LINKS} pbatch_flags)
  set(PBATCH_MODULES ${PBATCH_MODULES} pbatch_${name} CACHE INTERNAL "")
endfunction()

# The kernel module: each ISA's folder is compiled with that ISA's flags.
function(pbatch_kernel_module)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernel/*.cc ${PROJECT_SOURCE_DIR}/src/kernel/generic/*.cc)
  set(isas "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(isas avx2 avxvnni avx512)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(isas neon neon_dot)
  endif()
  foreach(isa IN LISTS isas)
    file(GLOB isa_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernel/${isa}/*.cc)
    list(APPEND sources ${isa_sources})
    include(${PROJECT_SOURCE_DIR}/src/kernel/${isa}/flags.cmake OPTIONAL)
  endforeach()
  pbatch_module(kernel SOURCES ${sources} ${ARGN})
endfunction()
