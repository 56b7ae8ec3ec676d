// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What snn-opt looks for in a plugin.
#include "Filter.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "filter", "0.1",
          [](mlir::DialectRegistry *registry) { registry->insert<filter::FilterDialect>(); }};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "filter", "0.1", [] { filter::registerFilterPasses(); }};
}
