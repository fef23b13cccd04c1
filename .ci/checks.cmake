# Tests that run programs of the sanitizer, fuzz and CUDA builds; .ci/run has built them.
set(builds ${PROJECT_SOURCE_DIR}/build)

function(built_tests kind environment)
  foreach(program IN LISTS ARGN)
    add_test(NAME ${kind}.${program} COMMAND ${builds}/${kind}/tests/${program} --gtest_brief=1
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${kind}.${program} PROPERTIES
      LABELS ${kind} TIMEOUT 1500 COST 1000 ENVIRONMENT "${environment}")
  endforeach()
endfunction()

get_property(programs GLOBAL PROPERTY PBATCH_TEST_PROGRAMS)
list(REMOVE_ITEM programs cli_test cuda_test)   # sanitizer builds have neither
# Tests ask for more memory than there is, to see the error.
built_tests(asan "ASAN_OPTIONS=allocator_may_return_null=1" ${programs})
# Only what uses threads: the tests of operators have too few elements for more than one.
set(threaded ${programs})
list(FILTER threaded INCLUDE REGEX "^(base|product|run|integer|device|api)_test$")
built_tests(tsan
  "TSAN_OPTIONS=allocator_may_return_null=1 suppressions=${PROJECT_SOURCE_DIR}/.ci/tsan.supp"
  ${threaded})

file(GLOB targets ${PROJECT_SOURCE_DIR}/fuzz/*.cc)
foreach(target IN LISTS targets)
  get_filename_component(name ${target} NAME_WE)
  add_test(NAME fuzz.${name} COMMAND ${PROJECT_SOURCE_DIR}/.ci/fuzz-round ${name}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endforeach()

# The tests of the GPU's code, built with its kernels; those on a device run where there is one.
if(EXISTS ${builds}/cuda/tests/cuda_test)
  built_tests(cuda "" cuda_test)
endif()
