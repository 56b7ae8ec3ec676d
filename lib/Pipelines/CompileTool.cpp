// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Command line of snn-compile.
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "spikeloom/Pipelines/Compile.h"
#include "spikeloom/Pipelines/Registration.h"
#include "spikeloom/Target/Program.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace spikeloom;
namespace cl = llvm::cl;

namespace {
/// Exit codes of all tools.
enum ExitCode { done = 0, badInput = 1, badUsage = 2, ourDefect = 3 };

struct Arguments {
  cl::OptionCategory category{"snn-compile"};
  cl::opt<std::string> input{cl::Positional, cl::desc("<model.mlir>"), cl::init("-"), cl::cat(category)};
  cl::opt<std::string> output{"o", cl::desc("The executable to write"), cl::value_desc("net.loom"),
                              cl::cat(category)};
  cl::opt<std::string> machine{"machine", cl::desc("gc2, gc200, bow, tiny, or a machine file"),
                               cl::init("bow"), cl::cat(category)};
  cl::opt<int64_t> chips{"chips", cl::desc("Number of chips"), cl::init(1), cl::cat(category)};
  cl::opt<int64_t> timeChunk{
      "time-chunk",
      cl::desc("Time steps that one superstep carries where nothing feeds back; default: the cheapest"),
      cl::init(0), cl::cat(category)};
  cl::opt<double> maxActivity{"max-activity",
                              cl::desc("Share of a hidden layer's neurons that a list holds; default: all"),
                              cl::init(0), cl::cat(category)};
  cl::opt<double> secondThreshold{
      "second-threshold",
      cl::desc("List neurons above this share of the threshold for the backward pass; default: all neurons"),
      cl::init(0), cl::cat(category)};
  cl::list<std::string> inputCapacity{"input-capacity", cl::desc("Capacity of an input's lists"),
                                      cl::value_desc("NAME:N"), cl::CommaSeparated, cl::cat(category)};
  cl::list<std::string> layerActivity{"layer-activity", cl::desc("--max-activity of one layer"),
                                      cl::value_desc("LAYER:F"), cl::CommaSeparated, cl::cat(category)};
  cl::list<std::string> capacity{"capacity", cl::desc("Capacity of a layer's lists"),
                                 cl::value_desc("LAYER:N"), cl::CommaSeparated, cl::cat(category)};
  cl::list<std::string> binaryInputs{"binary-inputs", cl::desc("Inputs that hold only 0 and 1"),
                                     cl::value_desc("NAME"), cl::CommaSeparated, cl::cat(category)};
  cl::opt<bool> rotate{
      "rotate", cl::desc("Let the first-come order of lists start at another unit in every step and sample"),
      cl::cat(category)};
  cl::opt<bool> train{"train", cl::desc("Compile a training step"), cl::cat(category)};
  cl::opt<std::string> loss{"loss", cl::desc("cross_entropy, mse (of values) or mse_count (of spike counts)"),
                            cl::init("cross_entropy"), cl::cat(category)};
  cl::opt<std::string> readout{
      "readout",
      cl::desc("spike_count, spike_rate, membrane_mean, membrane_max, membrane_last, "
               "membrane_each (mean of the losses of all steps) or output"),
      cl::init("spike_count"), cl::cat(category)};
  cl::opt<std::string> targets{
      "targets",
      cl::desc("What mse wants of the labelled unit and of the others; for mse_count as shares of the steps"),
      cl::value_desc("ON,OFF"), cl::init("1,0"), cl::cat(category)};
  cl::opt<std::string> optimizer{"optimizer", cl::desc("adam, adamw or sgd"), cl::init("adam"),
                                 cl::cat(category)};
  cl::opt<double> learningRate{"lr", cl::desc("Learning rate"), cl::init(1e-3), cl::cat(category)};
  cl::opt<int64_t> gradientAccumulation{
      "gradient-accumulation", cl::desc("Micro-batches whose gradients are added up for one training step"),
      cl::init(1), cl::cat(category)};
  cl::opt<double> momentum{"momentum", cl::desc("Momentum of sgd"), cl::init(0), cl::cat(category)};
  cl::opt<bool> nesterov{"nesterov", cl::desc("Nesterov momentum"), cl::cat(category)};
  cl::opt<double> weightDecay{
      "weight-decay",
      cl::desc("Weight decay: added to the gradient (sgd, adam) or taken from the parameter (adamw)"),
      cl::init(0), cl::cat(category)};
  cl::opt<double> beta1{"beta1", cl::desc("Decay of Adam's first moment"), cl::init(0.9), cl::cat(category)};
  cl::opt<double> beta2{"beta2", cl::desc("Decay of Adam's second moment"), cl::init(0.999),
                        cl::cat(category)};
  cl::opt<double> epsilon{"epsilon", cl::desc("What Adam adds to the root of the second moment"),
                          cl::init(1e-8), cl::cat(category)};
  cl::opt<std::string> clipGradients{
      "clip-gradients", cl::desc("norm:LIMIT (of all gradients together) or value:LIMIT (of each element)"),
      cl::value_desc("KIND:LIMIT"), cl::cat(category)};
  cl::opt<std::string> ratePenalty{"rate-penalty",
                                   cl::desc("Add WEIGHT * max(0, share - RATE)^2 to the loss, share being "
                                            "the part of a hidden layer that fires in "
                                            "a step of a sample, before its list is cut"),
                                   cl::value_desc("WEIGHT:RATE"), cl::cat(category)};
  cl::opt<double> overflowPenalty{
      "overflow-penalty",
      cl::desc("The same above 0.9 of the capacity of each list, so that layers learn not to overflow"),
      cl::value_desc("WEIGHT"), cl::init(0), cl::cat(category)};
  cl::opt<int64_t> recompute{"recompute",
                             cl::desc("Keep the states of every so many steps only, and compute the steps "
                                      "between again in the backward pass (0: keep all)"),
                             cl::value_desc("STEPS"), cl::init(0), cl::cat(category)};
  cl::opt<int64_t> truncate{
      "truncate",
      cl::desc("Detach the states before every so many steps: truncated backpropagation through time"),
      cl::value_desc("STEPS"), cl::init(0), cl::cat(category)};
  cl::opt<std::string> surrogate{
      "surrogate",
      cl::desc("Surrogate of neurons that name none, such as fast_sigmoid:25, atan:2 or straight_through"),
      cl::value_desc("KIND[:PARAMETER...]"), cl::init("fast_sigmoid:25"), cl::cat(category)};
  cl::opt<std::string> detachReset{"detach-reset", cl::desc("true or false; default: as the model says"),
                                   cl::cat(category)};
  cl::opt<bool> gradients{
      "gradients",
      cl::desc("Compile outputs and gradients for cotangents of the outputs, which are further inputs"),
      cl::cat(category)};
  cl::opt<bool> stateGradients{"state-gradients", cl::desc("With --gradients: also of states"),
                               cl::cat(category)};
  cl::opt<std::string> hostCpu{"host-cpu", cl::desc("native, x86-64-v3 or x86-64-v4"), cl::init("native"),
                               cl::cat(category)};
  cl::opt<std::string> stopAfter{"stop-after",
                                 cl::desc("Print the IR after this phase and stop: events, training, "
                                          "placement, tile, schedule, memory, codelets"),
                                 cl::value_desc("phase"), cl::cat(category)};
  cl::opt<std::string> dumpPhases{"dump-phases", cl::desc("Write the IR after every phase to this folder"),
                                  cl::value_desc("dir"), cl::cat(category)};
  cl::opt<bool> timing{"timing", cl::desc("Print the time that phases and passes take"), cl::cat(category)};

  CompileOptions options() const {
    CompileOptions o;
    o.machine = machine;
    o.chips = chips;
    o.timeChunk = timeChunk;
    o.maxActivity = maxActivity;
    o.secondThreshold = secondThreshold;
    o.inputCapacity.assign(inputCapacity.begin(), inputCapacity.end());
    o.layerActivity.assign(layerActivity.begin(), layerActivity.end());
    o.capacity.assign(capacity.begin(), capacity.end());
    o.binaryInputs.assign(binaryInputs.begin(), binaryInputs.end());
    o.train = train;
    o.loss = loss;
    o.readout = readout;
    o.optimizer = optimizer;
    o.learningRate = learningRate;
    o.gradientAccumulation = gradientAccumulation;
    o.targets = targets;
    o.momentum = momentum;
    o.nesterov = nesterov;
    o.weightDecay = weightDecay;
    o.beta1 = beta1;
    o.beta2 = beta2;
    o.epsilon = epsilon;
    o.clipGradients = clipGradients;
    o.ratePenalty = ratePenalty;
    o.overflowPenalty = overflowPenalty;
    o.truncate = truncate;
    o.recompute = recompute;
    o.rotate = rotate;
    o.surrogate = surrogate;
    o.detachReset = detachReset;
    o.gradients = gradients || stateGradients;
    o.stateGradients = stateGradients;
    o.hostCpu = hostCpu;
    return o;
  }
};
} // namespace

static void print(ModuleOp module, llvm::raw_ostream &out) {
  // Weights, which are resources, are megabytes of hexadecimal digits that nobody reads. Elements within the
  // text are part of the program: types have the connections of sparse weights.
  module.print(out, OpPrintingFlags().elideLargeResourceString(64));
  out << "\n";
}

static LogicalResult dump(ModuleOp module, const std::string &folder, int number, const std::string &phase) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder)) {
    llvm::errs() << "snn-compile: cannot create '" << folder << "': " << error.message() << "\n";
    return failure();
  }
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, std::to_string(number) + "-" + phase + ".mlir");
  std::string message;
  auto file = openOutputFile(path, &message);
  if (!file) {
    llvm::errs() << "snn-compile: " << message << "\n";
    return failure();
  }
  print(module, file->os());
  file->keep();
  return mlir::success();
}

int spikeloom::compileTool(int argc, char **argv) {
  // LLVM registers options of its own, some of the same name (-stop-after).
  cl::ResetCommandLineParser();
  Arguments arguments;
  cl::HideUnrelatedOptions(arguments.category);
  std::string usage;
  llvm::raw_string_ostream usageStream(usage);
  if (!cl::ParseCommandLineOptions(argc, argv, "Compiles a model to an executable for a modelled machine\n",
                                   &usageStream)) {
    llvm::errs() << usage;
    return badUsage;
  }
  if (arguments.train && arguments.options().gradients) {
    llvm::errs()
        << "snn-compile: --train and --gradients exclude each other: a training step has its own loss\n";
    return badUsage;
  }
  if (arguments.options().recompute && !arguments.train && !arguments.options().gradients) {
    llvm::errs() << "snn-compile: --recompute is for tapes, which --train and --gradients have\n";
    return badUsage;
  }
  std::vector<CompilePhase> phases = compilePhases(arguments.options());
  bool known =
      llvm::any_of(phases, [&](const CompilePhase &phase) { return phase.name == arguments.stopAfter; });
  if (!arguments.stopAfter.empty() && !known) {
    llvm::errs() << "snn-compile: --stop-after=" << arguments.stopAfter << " is no phase; the phases are ";
    llvm::interleaveComma(phases, llvm::errs(),
                          [](const CompilePhase &phase) { llvm::errs() << phase.name; });
    llvm::errs() << "\n";
    return badUsage;
  }
  if (arguments.stopAfter.empty() && arguments.output.empty()) {
    llvm::errs()
        << "snn-compile: name the executable with -o net.loom, or stop before with --stop-after=<phase>\n";
    return badUsage;
  }

  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  DefaultTimingManager timer;
  timer.setEnabled(arguments.timing);
  TimingScope root = timer.getRootScope();

  TimingScope parsing = root.nest("parse");
  std::string message;
  auto file = openInputFile(arguments.input, &message);
  if (!file) {
    llvm::errs() << "snn-compile: " << message << "\n";
    return badInput;
  }
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(*sources, &context);
  context.printOpOnDiagnostic(false);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return badInput;
  parsing.stop();

  CompileOptions options = arguments.options();
  for (size_t number = 0; number < phases.size(); ++number) {
    if (phases[number].name == "placement") {
      fitProgram(*module, options);
      phases = compilePhases(options);
    }
    const CompilePhase &phase = phases[number];
    TimingScope scope = root.nest(phase.name);
    PassManager manager(&context);
    manager.enableTiming(scope);
    phase.build(manager);
    if (failed(manager.run(*module)))
      return badInput;
    if (!arguments.dumpPhases.empty() &&
        failed(dump(*module, arguments.dumpPhases, int(number) + 1, phase.name)))
      return badInput;
    if (phase.name == arguments.stopAfter) {
      auto out =
          openOutputFile(arguments.output.empty() ? StringRef("-") : StringRef(arguments.output), &message);
      if (!out) {
        llvm::errs() << "snn-compile: " << message << "\n";
        return badInput;
      }
      print(*module, out->os());
      out->keep();
      return done;
    }
  }
  TimingScope emission = root.nest("executable");
  FailureOr<runtime::Loom> loom = buildLoom(*module, arguments.hostCpu);
  if (failed(loom))
    return ourDefect;
  if (Status written = runtime::writeLoom(arguments.output, *loom); !written) {
    llvm::errs() << "snn-compile: " << written.error() << "\n";
    return badInput;
  }
  return done;
}
