# What `cmake --install` writes: tools to bin, and for find_package(Spikeloom) headers, TableGen files, archives and
# the package's CMake files. And what a wheel holds (scikit-build-core installs the component `wheel` alone): the
# extension inside the Python package, the tools among the environment's scripts.
include(CMakePackageConfigHelpers)
set(package_dir lib/cmake/Spikeloom)
set(INCLUDE_DIR include)
set(TOOLS_DIR bin)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/spikeloom DESTINATION include COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td")
install(DIRECTORY ${PROJECT_BINARY_DIR}/include/spikeloom DESTINATION include COMPONENT development
  FILES_MATCHING PATTERN "*.inc" PATTERN CMakeFiles EXCLUDE)
install(EXPORT SpikeloomTargets NAMESPACE Spikeloom:: DESTINATION ${package_dir} COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/SpikeloomConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/SpikeloomConfig.cmake INSTALL_DESTINATION ${package_dir}
  PATH_VARS INCLUDE_DIR TOOLS_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/SpikeloomConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/SpikeloomConfig.cmake ${PROJECT_BINARY_DIR}/cmake/SpikeloomConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/SpikeloomPlugin.cmake DESTINATION ${package_dir} COMPONENT development)

if(SKBUILD)
  if(NOT TARGET SpikeloomPython)
    message(FATAL_ERROR "A wheel needs the Python extension: install python3-dev and nanobind for ${Python_EXECUTABLE}.")
  endif()
  get_property(tools GLOBAL PROPERTY SPIKELOOM_TOOLS)
  install(TARGETS SpikeloomPython LIBRARY DESTINATION spikeloom COMPONENT wheel EXCLUDE_FROM_ALL)
  install(TARGETS ${tools} RUNTIME DESTINATION ${SKBUILD_SCRIPTS_DIR} COMPONENT wheel EXCLUDE_FROM_ALL)
endif()
