# Everything comes from the distribution's packages; see scripts/install-deps.
find_package(nlohmann_json REQUIRED)
if(PBATCH_BUILD_CLI OR PBATCH_BUILD_TESTS)
  find_package(fmt REQUIRED)
endif()
if(PBATCH_BUILD_CLI)
  find_package(CLI11 REQUIRED)
endif()
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
include(PbatchSystemLibraries)

# ONNX's own schema, compiled here.
find_package(Protobuf REQUIRED)
find_file(PBATCH_ONNX_PROTO onnx/onnx.proto PATHS /usr/include REQUIRED)
get_filename_component(onnx_include_dir ${PBATCH_ONNX_PROTO}/../.. ABSOLUTE)
set(onnx_generated ${PROJECT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${onnx_generated})
add_custom_command(
  OUTPUT ${onnx_generated}/onnx/onnx.pb.cc ${onnx_generated}/onnx/onnx.pb.h
  COMMAND protobuf::protoc --cpp_out=lite:${onnx_generated} -I${onnx_include_dir} ${PBATCH_ONNX_PROTO}
  DEPENDS ${PBATCH_ONNX_PROTO} VERBATIM)
add_library(pbatch_onnx_proto STATIC ${onnx_generated}/onnx/onnx.pb.cc)
target_include_directories(pbatch_onnx_proto SYSTEM PUBLIC ${onnx_generated})
target_link_libraries(pbatch_onnx_proto PUBLIC protobuf::libprotobuf-lite)
