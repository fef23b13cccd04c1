# pbatch_devices(): what src/NAME/device.cmake makes for each line of src/device/devices.inc, in its order:
# the module pbatch_NAME, which depends on `accelerator`, and what it links with in PBATCH_DEVICE_LINKS, of
# the packages PBATCH_DEVICE_PACKAGES. A macro, since languages are enabled outside of functions.
macro(pbatch_devices)
  file(STRINGS ${PROJECT_SOURCE_DIR}/src/device/devices.inc pbatch_device_lines REGEX "^PBATCH_DEVICE\\(")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/device/devices.inc)
  set(PBATCH_DEVICES "")
  set(PBATCH_DEVICE_LINKS "")
  set(PBATCH_DEVICE_PACKAGES "")
  foreach(pbatch_device_line IN LISTS pbatch_device_lines)
    string(REGEX REPLACE "^PBATCH_DEVICE\\(([a-z0-9_]+),.*" "\\1" pbatch_device "${pbatch_device_line}")
    list(APPEND PBATCH_DEVICES pbatch_${pbatch_device})
    include(${PROJECT_SOURCE_DIR}/src/${pbatch_device}/device.cmake)
  endforeach()
endmacro()
