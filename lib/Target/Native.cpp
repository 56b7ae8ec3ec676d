// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Native code for codelets: LLVM IR, its optimisation for one CPU, and the object file.
#include "spikeloom/Target/Native.h"
#include "NativeSteps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include <thread>

using namespace mlir;
using namespace spikeloom;

std::string spikeloom::resolveCpu(const std::string &cpu) {
  return cpu == "native" ? llvm::sys::getHostCPUName().str() : cpu;
}

/// Features beyond the name of the CPU; a virtual machine may lack some of its CPU's.
static std::string featuresOf(const std::string &cpu) {
  if (cpu != "native")
    return "";
  std::map<std::string, bool> sorted; // the same text every time
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    sorted[feature.getKey().str()] = feature.getValue();
  llvm::SubtargetFeatures features;
  for (const auto &[name, enabled] : sorted)
    features.AddFeature(name, enabled);
  return features.getString();
}

static FailureOr<std::unique_ptr<llvm::TargetMachine>> createMachine(const NativeOptions &options,
                                                                     Location where) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Triple triple(llvm::sys::getProcessTriple());
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return emitError(where, "no code generator for '") << triple.str() << "': " << error;
  std::string cpu = resolveCpu(options.cpu);
  std::unique_ptr<llvm::MCSubtargetInfo> known(target->createMCSubtargetInfo(triple, "", ""));
  if (!known || !known->isCPUStringValid(cpu))
    return emitError(where, "CPU '") << options.cpu << "' is not known to LLVM for '" << triple.str()
                                     << "'; use native, x86-64-v3 or x86-64-v4";
  llvm::TargetOptions settings;
  settings.AllowFPOpFusion = llvm::FPOpFusion::Strict; // every operation is rounded by itself
  auto level = llvm::CodeGenOpt::getLevel(std::clamp(options.optimisation, 0, 3));
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, cpu, featuresOf(options.cpu), settings, llvm::Reloc::PIC_, std::nullopt, *level));
  if (!machine)
    return emitError(where, "cannot create a code generator for CPU '") << cpu << "'";
  return machine;
}

/// A library that offers nothing: no loop may become a call of memset or memcpy, as there is nobody to link
/// with.
static llvm::TargetLibraryInfoImpl emptyLibrary(const llvm::Triple &triple) {
  llvm::TargetLibraryInfoImpl library(triple);
  library.disableAllFunctions();
  return library;
}

static void optimise(llvm::Module &module, llvm::TargetMachine &machine, int level) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  functions.registerPass(
      [&] { return llvm::TargetLibraryAnalysis(emptyLibrary(machine.getTargetTriple())); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  static const llvm::OptimizationLevel levels[] = {llvm::OptimizationLevel::O0, llvm::OptimizationLevel::O1,
                                                   llvm::OptimizationLevel::O2, llvm::OptimizationLevel::O3};
  llvm::OptimizationLevel chosen = levels[std::clamp(level, 0, 3)];
  llvm::ModulePassManager passes = chosen == llvm::OptimizationLevel::O0
                                       ? builder.buildO0DefaultPipeline(chosen)
                                       : builder.buildPerModuleDefaultPipeline(chosen);
  passes.run(module, modules);
}

namespace {
/// Functions that are compiled together, in a context of their own so that parts can be compiled at the same
/// time.
struct Part {
  std::unique_ptr<llvm::TargetMachine> machine;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code;
  std::string object; // empty where the code generator cannot write object files
};
} // namespace

static LogicalResult translate(ModuleOp module, bool host, const NativeOptions &options, Part &part) {
  Location where = module.getLoc();
  FailureOr<std::unique_ptr<llvm::TargetMachine>> machine = createMachine(options, where);
  if (failed(machine))
    return failure();
  part.machine = std::move(*machine);
  FailureOr<OwningOpRef<ModuleOp>> lowered = spikeloom::detail::lowerEntries(module, host);
  if (failed(lowered))
    return failure();
  part.code = translateModuleToLLVMIR(lowered->get(), part.context, "codelets");
  if (!part.code)
    return emitError(where, "cannot translate the codelets to LLVM IR");
  part.code->setTargetTriple(part.machine->getTargetTriple());
  part.code->setDataLayout(part.machine->createDataLayout());
  for (llvm::Function &function : *part.code) {
    function.addFnAttr("target-cpu", part.machine->getTargetCPU());
    function.addFnAttr("target-features", part.machine->getTargetFeatureString());
    function.addFnAttr("prefer-vector-width", "512");
    function.addFnAttr("min-legal-vector-width", "512");
    function.addFnAttr("no-builtins");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
  return success();
}

static void generate(Part &part, int level) {
  optimise(*part.code, *part.machine, level);
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager emission;
  emission.add(new llvm::TargetLibraryInfoWrapperPass(emptyLibrary(part.machine->getTargetTriple())));
  if (part.machine->addPassesToEmitFile(emission, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return;
  emission.run(*part.code);
  part.object.assign(object.data(), object.size());
}

FailureOr<std::string> spikeloom::compileNative(ModuleOp module, const NativeOptions &options) {
  Location where = module.getLoc();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  module.getContext()->appendDialectRegistry(registry);

  Part host, others;
  if (failed(translate(module, /*host=*/true, options, host)) ||
      failed(translate(module, /*host=*/false, options, others)))
    return failure();
  std::thread second([&] { generate(others, options.optimisation); });
  generate(host, options.optimisation);
  second.join();
  if (host.object.empty() || others.object.empty())
    return emitError(where, "the code generator cannot write object files");
  return spikeloom::detail::linkShared({host.object, others.object}, options.linker, where);
}
