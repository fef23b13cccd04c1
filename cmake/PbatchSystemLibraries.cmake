# Imported targets for libraries whose packages bring no usable CMake files.
# Used by the build and, for static linking, by the installed package.
macro(pbatch_system_library target name header)
  if(NOT TARGET ${target})
    find_library(PBATCH_${name}_LIBRARY ${name} REQUIRED)
    find_path(PBATCH_${name}_INCLUDE_DIR ${header} REQUIRED)
    add_library(${target} UNKNOWN IMPORTED)
    set_target_properties(${target} PROPERTIES
      IMPORTED_LOCATION ${PBATCH_${name}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${PBATCH_${name}_INCLUDE_DIR})
  endif()
endmacro()

# oneDNN's own CMake package asks for OpenCL headers, which a CPU-only user has no need of.
pbatch_system_library(DNNL::dnnl dnnl oneapi/dnnl/dnnl.hpp)
# The threads of oneDNN's loops. The compiler's folder has libgomp.so, the system's only libgomp.so.1.
if(NOT TARGET pbatch_gomp)
  find_library(PBATCH_gomp_LIBRARY NAMES gomp libgomp.so.1 REQUIRED)
  add_library(pbatch_gomp UNKNOWN IMPORTED)
  set_target_properties(pbatch_gomp PROPERTIES IMPORTED_LOCATION ${PBATCH_gomp_LIBRARY})
endif()
# Debian keeps cblas.h in the architecture's folder, one per BLAS.
find_package(PkgConfig REQUIRED)
if(NOT TARGET PkgConfig::openblas)
  pkg_check_modules(openblas REQUIRED IMPORTED_TARGET openblas)
endif()
