# For projects that find_package(Spikeloom): TableGen for their own dialects and passes, and plugins for snn-opt.
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
# TableGen reads the directory's include path. Neither of the two is exported by the installed MLIRConfig.cmake.
include_directories(SYSTEM ${SPIKELOOM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
set(MLIR_LINK_MLIR_DYLIB ON)

# spikeloom_plugin(<name> sources... [DEPENDS tablegen targets...]): <name>.so for snn-opt --load-dialect-plugin and
# --load-pass-plugin. It is not linked with Spikeloom's archives: it must use the dialects of the tool that loads it.
function(spikeloom_plugin name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  add_library(${name} MODULE ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES PREFIX "")
  target_compile_features(${name} PRIVATE cxx_std_17)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${name} PRIVATE MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
