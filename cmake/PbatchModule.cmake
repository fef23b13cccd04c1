set(PBATCH_MODULES "" CACHE INTERNAL "")

add_library(pbatch_flags INTERFACE)
set(flags
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>   # GCC 12: false alarms inside std::string
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-pass-failed>   # loops that may be vectors and are none
  -ffp-contract=off                       # float results must not depend on the ISA
  -fno-trapping-math                      # vector code for loops with a choice; nobody reads the flags
  $<$<BOOL:${PBATCH_WERROR}>:-Werror>
  # GCC 13 and 14: false alarms inside std::vector, which change with what is inlined.
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-error=array-bounds>
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-error=stringop-overflow>)
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

# For targets whose own time when they run is nothing beside their time to compile, such as tests, which take more
# than twice as long at -O3 as at -O1. Builds with sanitizers are at -O1 as they are; at -O0 the tests of operators
# and the emulated GPU run for a quarter of an hour there.
function(pbatch_compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-O1>)
endfunction()

# pbatch_module(NAME [PARTS folders...] [DEPENDS modules...] [LINKS targets...])
# Makes the static library pbatch_NAME of src/NAME/**.cc, a part of libpbatch. It may include what it
# depends on, also through others; of its folders one may include those in PARTS before it (lint.order).
function(pbatch_module name)
  pbatch_folder(src ${name} ${ARGN})
  set(PBATCH_MODULES ${PBATCH_MODULES} pbatch_${name} CACHE INTERNAL "")
endfunction()

# pbatch_tool(NAME ...): the same of tools/NAME, which is no part of libpbatch.
function(pbatch_tool name)
  pbatch_folder(tools ${name} ${ARGN})
  target_include_directories(pbatch_${name} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

function(pbatch_folder top name)
  cmake_parse_arguments(ARG "" "" "PARTS;DEPENDS;LINKS;SOURCES" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB_RECURSE ARG_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${top}/${name}/*.cc)
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
endfunction()

# The lines of src/isa/isas.inc for this architecture: PBATCH_ISAS, and PBATCH_FLAGS_<isa> for each.
function(pbatch_read_isas)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(here __x86_64__)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(here __aarch64__)
  endif()
  set(isas "")
  set(section all)
  file(STRINGS ${PROJECT_SOURCE_DIR}/src/isa/isas.inc lines)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/isa/isas.inc)
  foreach(line IN LISTS lines)
    if(line MATCHES "^#if defined\\((.*)\\)")
      set(section ${CMAKE_MATCH_1})
    elseif(line MATCHES "^#endif")
      set(section all)
    elseif(line MATCHES "^PBATCH_ISA\\(([a-z0-9_]+), [^\"]*, \"([^\"]*)\", \"([^\"]*)\"\\)"
           AND (section STREQUAL "all" OR section STREQUAL "${here}"))
      set(isa ${CMAKE_MATCH_1})
      set(flags "${CMAKE_MATCH_2}")
      if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        string(APPEND flags " ${CMAKE_MATCH_3}")
      endif()
      separate_arguments(flags UNIX_COMMAND "${flags}")
      list(APPEND isas ${isa})
      set(PBATCH_FLAGS_${isa} "${flags}" PARENT_SCOPE)
    endif()
  endforeach()
  set(PBATCH_ISAS "${isas}" PARENT_SCOPE)
endfunction()

# The kernel module: each ISA's folder is compiled with that ISA's flags.
function(pbatch_kernel_module)
  pbatch_read_isas()
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernel/*.cc)
  foreach(isa IN LISTS PBATCH_ISAS)
    file(GLOB isa_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernel/${isa}/*.cc)
    set_source_files_properties(${isa_sources} PROPERTIES COMPILE_OPTIONS "${PBATCH_FLAGS_${isa}}")
    # GCC would take a number apart that is limited: beyond the limit it knows a gate's result, multiplies by
    # that subnormal float in every lane, a hundred times as slowly as by others, and chooses afterwards.
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/src/kernel/${isa}/cells_${isa}.cc APPEND PROPERTY COMPILE_OPTIONS
      $<$<CXX_COMPILER_ID:GNU>:-fno-thread-jumps>)
    list(APPEND sources ${isa_sources})
  endforeach()
  pbatch_module(kernel SOURCES ${sources} ${ARGN})
endfunction()

# The module cost, with the table of costs of each ISA that has one: src/cost/costs/<isa>.inc.
function(pbatch_cost_module)
  pbatch_read_isas()
  set(list "")
  foreach(isa IN LISTS PBATCH_ISAS)
    if(EXISTS ${PROJECT_SOURCE_DIR}/src/cost/costs/${isa}.inc)
      string(APPEND list "{Isa::${isa},\n#include \"cost/costs/${isa}.inc\"\n},\n")
    endif()
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/cost/costs_of_isas.inc CONTENT "${list}")
  pbatch_module(cost ${ARGN})
  target_include_directories(pbatch_cost PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()

# generated/integer/step_sources.inc: the sources of integer steps as strings, for the C export.
function(pbatch_step_sources)
  set(list "")
  foreach(name arithmetic product steps codes recurrent)
    set(file ${PROJECT_SOURCE_DIR}/src/kernel/integer_${name}.h)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(APPEND list "R\"PBATCH(${text})PBATCH\",\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/integer/step_sources.inc CONTENT "@list@" @ONLY)
  target_include_directories(pbatch_integer PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()
