// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verification and geometry of the operations on rows viewed as features.
#include "Verify.h"
#include "spikeloom/Dialect/SNN/IR/SNNOps.h"

#include <cmath>

using namespace mlir;
using namespace spikeloom::snn;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static SmallVector<int64_t> numbers(ArrayAttr array) {
  return llvm::map_to_vector(array.getAsValueRange<IntegerAttr>(),
                             [](const APInt &i) { return i.getSExtValue(); });
}

static int64_t product(ArrayRef<int64_t> numbers) {
  int64_t result = 1;
  for (int64_t number : numbers)
    result *= number;
  return result;
}

/// A row, or the rows of a batch.
static LogicalResult checkRows(Operation *op, StringRef what, Value value) {
  int64_t rank = typeOf(value).getRank();
  if (rank != 1 && rank != 2)
    return op->emitOpError() << what << " must have shape [N] or [B, N], found " << value.getType();
  return checkDense(op, what, value);
}

/// The result has the rows of the input, with `units` elements each.
static LogicalResult checkRowsOf(Operation *op, Value result, Value input, int64_t units) {
  SmallVector<int64_t> shape(typeOf(input).getShape());
  shape.back() = units;
  if (failed(checkDense(op, "result", result)))
    return failure();
  return checkShape(op, "result", result, shape);
}

/// An attribute of `count` numbers, each at least `least`.
static LogicalResult checkNumbers(Operation *op, StringRef name, ArrayRef<int64_t> found, size_t count,
                                  int64_t least) {
  if (found.size() != count)
    return op->emitOpError("attribute '")
           << name << "' must have " << count << " numbers, found " << found.size();
  for (int64_t number : found)
    if (number < least)
      return op->emitOpError("attribute '") << name << "' must be at least " << least << ", found " << number;
  return success();
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

int64_t Window::position(int64_t index) const {
  int64_t position = 0, stride = 1;
  for (int64_t dim = int64_t(shape.size()) - 1; dim >= 0; --dim) {
    int64_t at = offsets[dim] + strides[dim] * (index % sizes[dim]);
    if (at < 0 || at >= shape[dim])
      return -1;
    position += at * stride;
    stride *= shape[dim];
    index /= sizes[dim];
  }
  return position;
}

Window SliceOp::getWindow() {
  return {numbers(getShape()), numbers(getOffsets()), numbers(getSizes()), numbers(getStrides())};
}
Window PlaceOp::getWindow() {
  return {numbers(getShape()), numbers(getOffsets()), numbers(getSizes()), numbers(getStrides())};
}

/// `whole` is the operand or result that is viewed as the window's shape, `part` the one viewed as its sizes.
static LogicalResult verifyWindow(Operation *op, const Window &window, Value whole, StringRef wholeName,
                                  Value part, StringRef partName) {
  if (failed(checkRows(op, wholeName, whole)) || failed(checkRows(op, partName, part)))
    return failure();
  size_t rank = window.shape.size();
  if (rank == 0)
    return op->emitOpError("attribute 'shape' must have at least one number");
  if (failed(checkNumbers(op, "shape", window.shape, rank, 1)) ||
      failed(checkNumbers(op, "offsets", window.offsets, rank, std::numeric_limits<int64_t>::min())) ||
      failed(checkNumbers(op, "sizes", window.sizes, rank, 1)) ||
      failed(checkNumbers(op, "strides", window.strides, rank, 1)))
    return failure();
  if (int64_t units = typeOf(whole).getShape().back(); product(window.shape) != units)
    return op->emitOpError("attribute 'shape' has ")
           << product(window.shape) << " elements, the rows of the " << wholeName << " have " << units;
  if (int64_t units = typeOf(part).getShape().back(); product(window.sizes) != units)
    return op->emitOpError("attribute 'sizes' has ")
           << product(window.sizes) << " elements, the rows of the " << partName << " have " << units;
  return checkRowsOf(op, op->getResult(0), op->getOperand(0), typeOf(op->getResult(0)).getShape().back());
}

LogicalResult SliceOp::verify() {
  return verifyWindow(*this, getWindow(), getInput(), "input", getResult(), "result");
}

LogicalResult PlaceOp::verify() {
  return verifyWindow(*this, getWindow(), getResult(), "result", getInput(), "input");
}

LogicalResult ConcatOp::verify() {
  if (getInputs().empty())
    return emitOpError("needs at least one operand");
  int64_t units = 0;
  for (Value input : getInputs()) {
    if (failed(checkRows(*this, "operand", input)))
      return failure();
    if (typeOf(input).getShape().drop_back() != typeOf(getInputs().front()).getShape().drop_back())
      return emitOpError("operands must have the same rows, found ")
             << getInputs().front().getType() << " and " << input.getType();
    units += typeOf(input).getShape().back();
  }
  return checkRowsOf(*this, getResult(), getInputs().front(), units);
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

int64_t ConvGeometry::inputOf(int64_t unit, int64_t tap) const {
  int64_t channel = unit / positions(), position = unit % positions();
  int64_t perKernel = kernel[0] * kernel[1], perGroup = inChannels / groups;
  int64_t from = channel / (outChannels / groups) * perGroup + tap / perKernel;
  int64_t y = position / output[1] * strides[0] - before[0] + tap % perKernel / kernel[1] * dilations[0];
  int64_t x = position % output[1] * strides[1] - before[1] + tap % kernel[1] * dilations[1];
  if (y < 0 || y >= input[0] || x < 0 || x >= input[1])
    return -1;
  return (from * input[0] + y) * input[1] + x;
}

/// The geometry that the attributes say; nothing is checked.
template <typename ConvOp> static ConvGeometry geometryOf(ConvOp op, int64_t outChannels) {
  ConvGeometry g;
  SmallVector<int64_t> input = numbers(op.getInput());
  size_t axes = input.size() - 1;
  auto fill = [&](ConvGeometry::Pair &pair, ArrayRef<int64_t> from) {
    llvm::copy(from, pair.begin() + (pair.size() - axes));
  };
  g.inChannels = input.front();
  g.outChannels = outChannels;
  g.groups = op.getGroups();
  fill(g.input, ArrayRef(input).drop_front());
  fill(g.kernel, numbers(op.getKernel()));
  if (op.getStrides())
    fill(g.strides, numbers(*op.getStrides()));
  if (op.getDilations())
    fill(g.dilations, numbers(*op.getDilations()));
  if (op.getPadding()) {
    SmallVector<int64_t> padding = numbers(*op.getPadding());
    fill(g.before, ArrayRef(padding).take_front(axes));
    fill(g.after, ArrayRef(padding).drop_front(axes));
  }
  for (size_t axis = 0; axis < g.input.size(); ++axis) {
    int64_t span = g.dilations[axis] * (g.kernel[axis] - 1) + 1;
    int64_t room = g.input[axis] + g.before[axis] + g.after[axis] - span;
    g.output[axis] = room < 0 ? 0 : room / g.strides[axis] + 1;
  }
  return g;
}

ConvGeometry ConvMatrixOp::getGeometry() { return geometryOf(*this, getWeight().getType().getDimSize(0)); }
ConvGeometry ConvKernelGradOp::getGeometry() {
  return geometryOf(*this, getResult().getType().getDimSize(0));
}

template <typename ConvOp>
static LogicalResult verifyConvolution(ConvOp op, Value kernel, StringRef kernelName, Value matrix,
                                       StringRef matrixName) {
  size_t rank = op.getInput().size();
  if (rank != 2 && rank != 3)
    return op.emitOpError("attribute 'input' must be [C, L] or [C, H, W], found ") << rank << " numbers";
  auto optional = [&](StringRef name, std::optional<ArrayAttr> array, size_t count, int64_t least) {
    return array ? checkNumbers(op, name, numbers(*array), count, least) : success();
  };
  if (failed(checkNumbers(op, "input", numbers(op.getInput()), rank, 1)) ||
      failed(checkNumbers(op, "kernel", numbers(op.getKernel()), rank - 1, 1)) ||
      failed(optional("strides", op.getStrides(), rank - 1, 1)) ||
      failed(optional("padding", op.getPadding(), 2 * (rank - 1), 0)) ||
      failed(optional("dilations", op.getDilations(), rank - 1, 1)) ||
      failed(checkMatrix(op, kernelName, kernel)) || failed(checkDense(op, kernelName, kernel)) ||
      failed(checkDense(op, matrixName, matrix)))
    return failure();
  int64_t outChannels = typeOf(kernel).getDimSize(0), inChannels = numbers(op.getInput()).front();
  int64_t groups = op.getGroups();
  if (groups < 1 || inChannels % groups != 0 || outChannels % groups != 0)
    return op.emitOpError("attribute 'groups' must divide the ")
           << inChannels << " input and " << outChannels << " output channels, found " << groups;
  ConvGeometry geometry = op.getGeometry();
  if (geometry.positions() < 1)
    return op.emitOpError("the kernel is larger than the padded input: no output is left");
  if (failed(checkShape(op, kernelName, kernel, {outChannels, geometry.taps()})))
    return failure();
  return checkShape(op, matrixName, matrix, {geometry.outputs(), geometry.inputs()});
}

LogicalResult ConvMatrixOp::verify() {
  return verifyConvolution(*this, getWeight(), "kernel", getResult(), "result");
}

LogicalResult ConvKernelGradOp::verify() {
  if (auto placement = getPlacement())
    if (placement->size() != 2 || (*placement)[0] < 1 || (*placement)[1] < 1)
      return emitOpError("attribute 'placement' must be [group, perTile], both at least 1");
  return verifyConvolution(*this, getResult(), "result", getGradient(), "gradient");
}

//===----------------------------------------------------------------------===//
// Channels, softmax
//===----------------------------------------------------------------------===//

static LogicalResult checkInner(Operation *op, int64_t inner) {
  if (inner < 1)
    return op->emitOpError("attribute 'inner' must be at least 1, found ") << inner;
  return success();
}

LogicalResult SpreadOp::verify() {
  if (failed(checkInner(*this, getInner())) || failed(checkRows(*this, "input", getInput())))
    return failure();
  return checkRowsOf(*this, getResult(), getInput(),
                     typeOf(getInput()).getShape().back() * int64_t(getInner()));
}

LogicalResult FoldOp::verify() {
  if (failed(checkInner(*this, getInner())) || failed(checkRows(*this, "input", getInput())))
    return failure();
  int64_t units = typeOf(getInput()).getShape().back(), inner = getInner();
  if (units % inner != 0)
    return emitOpError("attribute 'inner' must divide the ")
           << units << " elements of a row, found " << inner;
  return checkRowsOf(*this, getResult(), getInput(), units / inner);
}

LogicalResult BatchNormOp::verify() {
  int64_t inner = getInner();
  if (failed(checkInner(*this, inner)) || failed(checkMatrix(*this, "input", getInput())) ||
      failed(checkDense(*this, "input", getInput())))
    return failure();
  int64_t units = getInput().getType().getDimSize(1);
  if (units % inner != 0)
    return emitOpError("attribute 'inner' must divide the ")
           << units << " elements of a row, found " << inner;
  if (!(getMomentum().convertToFloat() >= 0 && getMomentum().convertToFloat() <= 1))
    return emitOpError("attribute 'momentum' must lie in [0, 1], found ") << getMomentum().convertToFloat();
  return checkShape(*this, "mean", getMean(), {units / inner});
}

int64_t DropoutOp::getThreshold() { return std::llround(getRate().convertToDouble() * (1 << 24)); }
float DropoutOp::getFactor() { return 1.0f / (1.0f - getRate().convertToFloat()); }

LogicalResult DropoutOp::verify() {
  if (failed(checkMatrix(*this, "input", getInput())) || failed(checkDense(*this, "input", getInput())))
    return failure();
  if (!(getRate().convertToFloat() >= 0 && getRate().convertToFloat() < 1))
    return emitOpError("attribute 'rate' must lie in [0, 1), found ") << getRate().convertToFloat();
  if (!getKey())
    return success();
  if (failed(checkDense(*this, "key", getKey())))
    return failure();
  return checkShape(*this, "key", getKey(), {getInput().getType().getDimSize(0), 1});
}

LogicalResult SoftmaxOp::verify() { return checkRows(*this, "input", getInput()); }

LogicalResult SoftmaxAdjointOp::verify() { return checkRows(*this, "gradient", getGradient()); }
