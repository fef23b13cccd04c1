# libpbatch, shared and static: the object files of all modules, and the installed package.
include(CMakePackageConfigHelpers)

set(objects $<TARGET_OBJECTS:pbatch_onnx_proto>)
foreach(module IN LISTS PBATCH_MODULES)
  get_target_property(type ${module} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND objects $<TARGET_OBJECTS:${module}>)
  endif()
endforeach()

function(pbatch_library target type name export)
  add_library(${target} ${type} ${objects})
  add_library(pbatch::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME pbatch EXPORT_NAME ${name} LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE
    $<BUILD_INTERFACE:pbatch_flags> DNNL::dnnl pbatch_gomp PkgConfig::openblas
    protobuf::libprotobuf-lite ZLIB::ZLIB Threads::Threads
    ${PBATCH_DEVICE_LINKS})
  if(PBATCH_INSTALL)
    install(TARGETS ${target} EXPORT ${export})
    install(EXPORT ${export} NAMESPACE pbatch:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pbatch)
  endif()
endfunction()
pbatch_library(pbatch_shared SHARED pbatch pbatchTargets)
pbatch_library(pbatch_static STATIC pbatch_static pbatchStaticTargets)

# Only the public interface leaves the shared library, not even copies of std templates.
target_link_options(pbatch_shared PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/pbatch.map)
if(NOT PBATCH_SANITIZE)
  target_link_options(pbatch_shared PRIVATE -Wl,--no-undefined)
endif()
set_target_properties(pbatch_shared PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/pbatch.map)

if(NOT PBATCH_INSTALL)
  return()
endif()
install(DIRECTORY include/pbatch DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h"
        PATTERN "*.inc")
configure_package_config_file(cmake/pbatchConfig.cmake.in pbatchConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pbatch)
write_basic_package_version_file(pbatchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pbatchConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/pbatchConfigVersion.cmake
              cmake/PbatchSystemLibraries.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pbatch)
configure_file(cmake/pbatch.pc.in pbatch.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pbatch.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
