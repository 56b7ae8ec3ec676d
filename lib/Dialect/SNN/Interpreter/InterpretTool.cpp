// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The inside of snn-interpret: arguments by name, results to files.
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"
#include "spikeloom/Dialect/SNN/Interpreter/Interpreter.h"
#include "spikeloom/Pipelines/Registration.h"
#include "spikeloom/Runtime/Npy.h"
#include "spikeloom/Runtime/Safetensors.h"
#include "spikeloom/Runtime/Session.h"
#include "spikeloom/Support/Random.h"
#include "spikeloom/Target/Program.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include <map>

using namespace mlir;
using namespace spikeloom::snn;
using spikeloom::Error;
using spikeloom::Result;
using spikeloom::runtime::Array;
using spikeloom::runtime::DataType;

namespace cl = llvm::cl;
static cl::opt<std::string> modelFile(cl::Positional, cl::desc("<model.mlir>"), cl::init("-"));
static cl::list<std::string> inputs("input",
                                    cl::desc("NAME=FILE.npy or NAME=VALUE for an argument (repeatable)"),
                                    cl::value_desc("NAME=..."));
static cl::opt<std::string> weightsFile("weights", cl::desc("Parameters by name"),
                                        cl::value_desc("FILE.safetensors"));
static cl::opt<std::string> outputFolder("output", cl::desc("Folder for the results, as NAME.npy"),
                                         cl::value_desc("DIR"));
static cl::opt<std::string> functionName("function", cl::desc("The function to evaluate"), cl::init("main"));
static cl::opt<bool> checkOnly("check",
                               cl::desc("Evaluate every function without arguments, for its check ops"));

namespace {
using Given = std::map<std::string, TensorPtr>;
} // namespace

static TensorPtr toTensor(const Array &array) {
  auto tensor = std::make_shared<Tensor>(array.shape);
  for (int64_t i = 0; i < tensor->elements(); ++i)
    switch (array.type) {
    case DataType::f32:
      tensor->data[i] = array.as<float>()[i];
      break;
    case DataType::i32:
      tensor->data[i] = float(array.as<int32_t>()[i]);
      break;
    case DataType::i64:
      tensor->data[i] = float(array.as<int64_t>()[i]);
      break;
    case DataType::u8:
    case DataType::boolean:
      tensor->data[i] = float(array.as<uint8_t>()[i]);
      break;
    }
  return tensor;
}

/// What the command line gives: tensors by name; constants as tensors of one element and shape [].
static Result<Given> readGiven() {
  Given given;
  if (!weightsFile.empty()) {
    auto file = spikeloom::runtime::readSafetensors(weightsFile);
    if (!file)
      return Error{file.error()};
    for (auto &[name, array] : file->tensors)
      given[name] = toTensor(array);
  }
  for (llvm::StringRef entry : inputs) {
    auto [name, value] = entry.split('=');
    double constant;
    if (name.empty() || value.empty())
      return Error{"--input takes NAME=FILE.npy or NAME=VALUE, found '" + entry.str() + "'"};
    if (!value.getAsDouble(constant)) {
      given[name.str()] = std::make_shared<Tensor>(std::vector<int64_t>{}, float(constant));
      continue;
    }
    auto array = spikeloom::runtime::readNpy(value.str());
    if (!array)
      return Error{array.error()};
    given[name.str()] = toTensor(*array);
  }
  return given;
}

/// The factors of the first step of the optimiser that a training step names.
static TensorPtr firstHyper(func::FuncOp function) {
  auto training = function->getAttrOfType<DictionaryAttr>("snn.training");
  if (!training || !training.getAs<StringAttr>("optimizer"))
    return nullptr;
  auto hyper = std::make_shared<Tensor>(std::vector<int64_t>{4});
  auto first = spikeloom::runtime::hyperOf(spikeloom::optimizerOf(training), 1);
  llvm::copy(first, hyper->data.begin());
  return hyper;
}

/// The value of an argument: given, else what the model says, else a default by kind.
static Result<TensorPtr> argumentValue(func::FuncOp function, unsigned index, Given &given) {
  auto name = function.getArgAttrOfType<StringAttr>(index, kNameAttr);
  std::string text = name ? name.str() : "#" + std::to_string(index);
  auto type = dyn_cast<RankedTensorType>(function.getArgument(index).getType());
  if (!type || getEvents(type))
    return Error{"argument '" + text + "' must be a dense tensor"};
  std::vector<int64_t> shape = type.getShape().vec();
  auto filled = [&](float value) -> TensorPtr { return std::make_shared<Tensor>(shape, value); };
  if (auto found = given.find(text); found != given.end()) {
    TensorPtr value = found->second;
    given.erase(found);
    if (value->shape.empty())
      return filled(value->data[0]);
    if (value->shape != shape)
      return Error{"argument '" + text + "' has shape " + spikeloom::runtime::shapeText(shape) +
                   ", but the file holds " + spikeloom::runtime::shapeText(value->shape)};
    return value;
  }
  if (Attribute value = function.getArgAttr(index, kValueAttr))
    if (TensorPtr tensor = constantTensor(value))
      return tensor;
  if (auto initial = function.getArgAttrOfType<FloatAttr>(index, kInitialAttr))
    return filled(float(initial.getValueAsDouble()));
  auto kind = function.getArgAttrOfType<ArgumentKindAttr>(index, kKindAttr);
  if (kind && kind.getValue() == ArgumentKind::state)
    return filled(0.0f);
  if (kind && kind.getValue() == ArgumentKind::weight)
    return filled(1.0f / float(shape.empty() ? 1 : shape[0]));
  if (kind && kind.getValue() == ArgumentKind::hyper)
    if (TensorPtr hyper = firstHyper(function))
      return hyper;
  if (kind && kind.getValue() == ArgumentKind::random) { // those of the first step
    auto keys = std::make_shared<Tensor>(shape);
    for (int64_t i = 0; i < keys->elements(); ++i)
      keys->data[i] = float(spikeloom::randomKey(1, i));
    return TensorPtr(keys);
  }
  return Error{"argument '" + text + "' has no value; give --input " + text + "=FILE.npy"};
}

static int fail(const std::string &message) {
  llvm::errs() << "snn-interpret: " << message << "\n";
  return 1;
}

static int writeResults(func::FuncOp function, const std::vector<TensorPtr> &results) {
  if (std::error_code error = llvm::sys::fs::create_directories(outputFolder))
    return fail("cannot make the folder '" + outputFolder + "': " + error.message());
  for (auto [i, tensor] : llvm::enumerate(results)) {
    auto name = function.getResultAttrOfType<StringAttr>(i, kNameAttr);
    std::string text = name ? name.str() : "result" + std::to_string(i);
    std::replace(text.begin(), text.end(), '/', '_'); // ONNX names are often paths
    spikeloom::runtime::ArrayView view{DataType::f32, tensor->shape, tensor->data.data()};
    if (auto written = spikeloom::runtime::writeNpy(outputFolder + "/" + text + ".npy", view); !written)
      return fail(written.error());
  }
  return 0;
}

static int runModel(ModuleOp module) {
  auto function = module.lookupSymbol<func::FuncOp>(functionName);
  if (!function)
    return fail("the module has no function '@" + functionName + "'; give --function");
  Result<Given> given = readGiven();
  if (!given)
    return fail(given.error());
  std::vector<TensorPtr> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    Result<TensorPtr> value = argumentValue(function, i, *given);
    if (!value)
      return fail(value.error());
    arguments.push_back(*value);
  }
  for (auto &[name, tensor] : *given)
    if (llvm::any_of(inputs,
                     [&name = name](llvm::StringRef entry) { return entry.split('=').first == name; }))
      return fail("the function has no argument '" + name + "'");
  Interpreter interpreter;
  auto results = interpreter.run(function, std::move(arguments));
  if (failed(results))
    return 1;
  for (auto &[layer, count] : interpreter.getListCounts())
    llvm::outs() << "events " << layer.getValue() << ": " << count.fired << " fired, "
                 << count.fired - count.listed << " dropped\n";
  return outputFolder.empty() ? 0 : writeResults(function, *results);
}

static int runChecks(ModuleOp module) {
  int result = 0, functions = 0;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.getNumArguments() != 0 || function.isExternal())
      continue;
    ++functions;
    bool bad = failed(Interpreter().run(function, {}));
    llvm::outs() << (bad ? "FAILED " : "ok ") << function.getName() << "\n";
    result |= bad;
  }
  return functions ? result : fail("the module has no function without arguments to check");
}

int spikeloom::snn::interpretTool(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Evaluates snn models: the reference for what they mean\n");
  DialectRegistry registry;
  spikeloom::registerDialects(registry);
  MLIRContext context(registry);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(modelFile, sources, &context);
  if (!module)
    return 1;
  return checkOnly ? runChecks(*module) : runModel(*module);
}
