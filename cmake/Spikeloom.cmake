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

# spikeloom_library(<name> sources... [LINK libs...]): plain C++, neither LLVM nor MLIR.
function(spikeloom_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# spikeloom_mlir_library(<name> sources... [LINK libs...] [DEPENDS tablegen targets...]): uses the MLIR shared library.
function(spikeloom_mlir_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_include_directories(${name} SYSTEM PUBLIC ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
