# The module cuda; with PBATCH_CUDA also its kernels, src/cuda/*.cu.
option(PBATCH_CUDA "Build the kernels for NVIDIA GPUs (needs nvcc)" OFF)
pbatch_module(cuda DEPENDS accelerator)
if(NOT PBATCH_CUDA)
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "PBATCH_CUDA needs nvcc of CUDA 13; CUDACXX or the PATH must name it.")
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  # Machine code for each, and PTX, which drivers compile, for those to come.
  set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100 120-real)
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)   # CMake 3.25 does not know it
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
endif()
find_package(CUDAToolkit REQUIRED)

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cuda/*.cu)
# The product of each number of planes: a source of its own, so that they compile side by side.
foreach(planes RANGE 1 8)
  set(source ${PROJECT_BINARY_DIR}/generated/cuda/product_p${planes}.cu)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"cuda/product_kernels.cuh\"
namespace pbatch::cuda {
PBATCH_PRODUCT_KERNELS(${planes})
}  // namespace pbatch::cuda
" @ONLY)
  list(APPEND sources ${source})
endforeach()
target_sources(pbatch_cuda PRIVATE ${sources})
target_compile_definitions(pbatch_cuda PRIVATE PBATCH_CUDA)
target_compile_options(pbatch_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:\
--fmad=false;--ftz=false;--prec-div=true;\
--expt-relaxed-constexpr;-Xfatbin=-compress-all;-Xcompiler=-Wall,-Wextra>")   # floats as on the CPU
if(PBATCH_WERROR)
  target_compile_options(pbatch_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
endif()
# Static, so that the library loads where there is no CUDA.
set_target_properties(pbatch_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static)
target_link_libraries(pbatch_cuda PUBLIC CUDA::cudart_static)
list(APPEND PBATCH_DEVICE_LINKS CUDA::cudart_static)
list(APPEND PBATCH_DEVICE_PACKAGES CUDAToolkit)
