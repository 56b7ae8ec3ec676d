# Warnings, the LLVM set-up, and the two kinds of library of the project: those that use MLIR and those that must not.
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)
# The installed MLIRConfig.cmake does not export it (llvm/llvm-project#197175); mixing the archives with the shared
# library would give two universes of type ids.
set(MLIR_LINK_MLIR_DYLIB ON)
# Nor this one, where the generated pages of dialects and passes go.
set(MLIR_BINARY_DIR ${PROJECT_BINARY_DIR})
set(LLVM_LINK_LLVM_DYLIB ON)

add_compile_options(-Wall -Wextra -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms inside LLVM's headers with GCC 12.
  add_compile_options(-Wno-maybe-uninitialized -Wno-dangling-reference -Wno-array-bounds -Wno-stringop-overread)
endif()
if(SPIKELOOM_WERROR)
  add_compile_options(-Werror)
endif()
if(SPIKELOOM_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize=vptr)
  add_link_options(-fsanitize=address,undefined)
endif()

# TableGen reads the directory's include path.
include_directories(SYSTEM ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
include_directories(${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)
link_directories(${LLVM_BUILD_LIBRARY_DIR})

# What dependents see, in the build tree and as Spikeloom::<name without the prefix> after installation.
function(spikeloom_export name)
  string(REGEX REPLACE "^Spikeloom" "" exported ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${exported})
  target_include_directories(${name} INTERFACE $<INSTALL_INTERFACE:include>)
  target_compile_features(${name} PUBLIC cxx_std_17)
  install(TARGETS ${name} EXPORT SpikeloomTargets ARCHIVE DESTINATION lib COMPONENT development)
endfunction()

# spikeloom_tool(<name> sources... [LINK libs...]): a program of the bin folder.
function(spikeloom_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  install(TARGETS ${name} EXPORT SpikeloomTargets RUNTIME DESTINATION bin COMPONENT tools)
  set_property(GLOBAL APPEND PROPERTY SPIKELOOM_TOOLS ${name})
endfunction()

# spikeloom_library(<name> sources... [LINK libs...]): plain C++, neither LLVM nor MLIR.
function(spikeloom_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  spikeloom_export(${name})
endfunction()

# spikeloom_mlir_library(<name> sources... [PLUGIN_API] [LINK libs...] [DEPENDS tablegen targets...]): uses the MLIR
# shared library. With PLUGIN_API its symbols are visible to plugins that snn-opt loads.
function(spikeloom_mlir_library name)
  cmake_parse_arguments(ARG "PLUGIN_API" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_PLUGIN_API)
    set_target_properties(${name} PROPERTIES CXX_VISIBILITY_PRESET default)
  endif()
  target_include_directories(${name} SYSTEM PUBLIC ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  spikeloom_export(${name})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
