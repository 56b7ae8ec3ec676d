# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolution and pooling: a row is seen as `[C, H, W]` or `[C, L]`.

Average and sum pooling are convolutions with a constant kernel, each channel by itself; max pooling is the maximum of
one strided slice for each place of its window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from ..evaluate import convolution_size
from ..ir import Parameter, Value
from ..onnx_graph import Const, Node
from .elementwise import apply
from .shapes import map_rows
from .tensor import Tensor, Unsupported, dims_text

if TYPE_CHECKING:
    from .tracer import Tracer

_LOWEST = float(np.finfo(np.float32).min)


@dataclass(frozen=True)
class Window:
    """How a kernel moves over an image; `padding` holds all low sides, then all high sides."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    dilations: tuple[int, ...]

    def sizes(self, extents: list[int]) -> list[int]:
        """Extents of the result."""
        return convolution_size(tuple(extents), self.kernel, self.strides, self.padding, self.dilations)


def _spatial(x: Tensor, node: Node) -> list[int]:
    """The axes of channels and space."""
    if len(x.dims) < 3 or x.batch_dim != 0:
        raise Unsupported(f"{node.op} of a value of shape {dims_text(x.dims)} is not supported; it needs [batch, "
                          "channels, space]")
    return [x.axis(d, node.op) for d in range(1, len(x.dims))]


def _window(node: Node, extents: list[int], kernel: tuple[int, ...]) -> Window:
    """The window of a node over an image of some extents, with all kinds of padding written out."""
    rank = len(extents)
    attrs = node.attrs
    strides = tuple(attrs.get("strides") or [1] * rank)
    dilations = tuple(attrs.get("dilations") or [1] * rank)
    mode = attrs.get("auto_pad", "NOTSET")
    pads = tuple(attrs.get("pads") or [0] * (2 * rank))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
                 for n, s, d, k in zip(extents, strides, dilations, kernel, strict=True)]
        less, more = tuple(p // 2 for p in total), tuple(p - p // 2 for p in total)
        pads = less + more if mode == "SAME_UPPER" else more + less
    elif mode == "VALID":
        pads = (0,) * (2 * rank)
    if attrs.get("ceil_mode", 0):
        pads = _ceiled(extents, kernel, strides, pads, dilations)
    window = Window(tuple(kernel), strides, tuple(int(p) for p in pads), dilations)
    if any(n < 1 for n in window.sizes(extents)):
        raise Unsupported(f"{node.op}: the kernel {list(kernel)} is larger than the image {extents} with its padding")
    return window


def _ceiled(extents: list[int], kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...],
            dilations: tuple[int, ...]) -> tuple[int, ...]:
    """Padding that makes room for a last window that starts inside the image but ends outside."""
    rank, high = len(extents), []
    for i in range(rank):
        free = extents[i] + pads[i] + pads[rank + i] - dilations[i] * (kernel[i] - 1) - 1
        count = ceil(free / strides[i]) + 1
        if (count - 1) * strides[i] >= extents[i] + pads[i]:
            count -= 1
        high.append(pads[rank + i] + max(0, (count - 1) * strides[i] - free))
    return (*pads[:rank], *high)


def _conv(t: Tracer, node: Node, values: list):
    x, weight = t.tensor(values[0]), values[1]
    bias = values[2] if len(values) > 2 else None
    if not isinstance(weight, Const) or not (bias is None or isinstance(bias, Const)):
        raise Unsupported("Conv with weights that depend on the inputs is not supported")
    axes = _spatial(x, node)
    kernel = weight.value.shape[2:]
    if len(kernel) not in (1, 2) or len(axes) != len(kernel) + 1:
        raise Unsupported(f"Conv with weights of shape {dims_text(weight.value.shape)} on a value of shape "
                          f"{dims_text(x.dims)} is not supported; convolutions over one or two axes are")
    groups = int(node.attrs.get("group", 1))
    channels = x.cells.shape[axes[0]]
    if channels != weight.value.shape[1] * groups or weight.value.shape[0] % groups:
        raise Unsupported(f"Conv: the input has {channels} channels, the weights {dims_text(weight.value.shape)} in "
                          f"{groups} groups expect {weight.value.shape[1] * groups}")
    params = {"weight": t.weight(weight, "conv", lambda: t.table.make(weight, weight.value, True, node.source))}
    if bias is not None and bias.value.shape != (weight.value.shape[0],):
        raise Unsupported(f"Conv: the bias has shape {dims_text(bias.value.shape)}, the weights give "
                          f"{weight.value.shape[0]} channels")
    if bias is not None:
        params["bias"] = t.table.make(bias, bias.value, True, node.source)
    window = _window(node, [x.cells.shape[a] for a in axes[1:]], kernel)
    return _convolved(t, x, axes, window, params, groups)


def _convolved(t: Tracer, x: Tensor, axes: list[int], window: Window, params: dict[str, Parameter],
               groups: int) -> Tensor:
    """Each image, `axes` of channels and space, as a row `[out * H' * W']`."""
    if len(window.kernel) > 2:
        raise Unsupported(f"a window of {len(window.kernel)} axes is not supported; those of one or two are")
    return map_rows(t, x, axes, lambda row, dims: _convolved_row(t, row, dims, window, params, groups),
                    lambda dims: [params["weight"].value.shape[0], *window.sizes(dims[1:])])


def _convolved_row(t: Tracer, row: Value, dims: list[int], window: Window, params: dict[str, Parameter],
                   groups: int) -> Value:
    """A row seen as `dims`, `[C, H, W]` or `[C, L]`, convolved to `[out * H' * W']`."""
    width = params["weight"].value.shape[0] * prod(window.sizes(dims[1:]))
    return t.builder.make("conv", [row], width, params=params, input=tuple(dims), strides=window.strides,
                          padding=window.padding, dilations=window.dilations, groups=groups)


def whole_window(extents: list[int]) -> Window:
    """A window as large as the image."""
    rank = len(extents)
    return Window(tuple(extents), (1,) * rank, (0,) * (2 * rank), (1,) * rank)


def summed_channels(t: Tracer, row: Value, dims: list[int]) -> Value:
    """The sum over each channel of a row seen as `dims`, `[C, H, W]` or `[C, L]`."""
    kernel = t.rows.fixed(np.ones((dims[0], 1, *dims[1:]), np.float32), "pool")
    return _convolved_row(t, row, dims, whole_window(dims[1:]), {"weight": kernel}, dims[0])


def _summed(t: Tracer, x: Tensor, axes: list[int], window: Window, factor: float) -> Tensor:
    """`factor` times the sum over each window."""
    channels = x.cells.shape[axes[0]]
    kernel = np.full((channels, 1, *window.kernel), factor, np.float32)
    return _convolved(t, x, axes, window, {"weight": t.rows.fixed(kernel, "pool")}, channels)


def _average_pool(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    axes = _spatial(x, node)
    extents = [x.cells.shape[a] for a in axes[1:]]
    window = _window(node, extents, tuple(node.attrs["kernel_shape"]))
    inside = node.attrs.get("pads") if node.attrs.get("count_include_pad", 0) else None
    if not any(window.padding) or (inside is not None and list(window.padding) == [int(p) for p in inside]):
        return _summed(t, x, axes, window, 1.0 / prod(window.kernel))
    counts = _counts(extents, window, [int(p) for p in inside] if inside is not None else None)
    sums = _summed(t, x, axes, window, 1.0)
    return apply(t, [sums, Const(counts)], lambda a, b: t.builder.binary("div", a, b))


def _counts(extents: list[int], window: Window, inside: list[int] | None) -> np.ndarray:
    """How many elements each window averages: those of the image, and of the padding `inside` if it counts."""
    total = np.ones([1] * len(extents), np.float32)
    sizes = window.sizes(extents)
    for i, extent in enumerate(extents):
        low, high = (inside[i], inside[len(extents) + i]) if inside is not None else (0, 0)
        starts = window.strides[i] * np.arange(sizes[i]) - window.padding[i]
        taps = starts[:, None] + window.dilations[i] * np.arange(window.kernel[i])
        count = np.sum((taps >= -low) & (taps < extent + high), 1, dtype=np.float32)
        total = total * count.reshape([-1 if j == i else 1 for j in range(len(extents))])
    return total


def _max_pool(t: Tracer, node: Node, values: list):
    x = t.tensor(values[0])
    axes = _spatial(x, node)
    window = _window(node, [x.cells.shape[a] for a in axes[1:]], tuple(node.attrs["kernel_shape"]))
    return [_largest(t, x, axes, window)]


def _largest(t: Tracer, x: Tensor, axes: list[int], window: Window) -> Tensor:
    """The maximum over each window, padding being lower than any number."""
    def sizes(dims: list[int]) -> list[int]:
        return [dims[0], *window.sizes(dims[1:])]

    def build(row: Value, dims: list[int]) -> Value:
        result = None
        for place in np.ndindex(*window.kernel):
            offsets = [d * k - p for d, k, p in zip(window.dilations, place, window.padding[:len(place)], strict=True)]
            part = t.rows.columns(row, dims, [0, *offsets], sizes(dims), [1, *window.strides],
                                  _LOWEST if any(window.padding) else 0.0)
            result = part if result is None else t.builder.binary("max", result, part)
        return result

    return map_rows(t, x, axes, build, sizes)


def _lp_pool(t: Tracer, node: Node, values: list):
    power = int(node.attrs.get("p", 2))
    if power not in (1, 2):
        raise Unsupported(f"LpPool with p={power} is not supported; 1 and 2 are")
    x = t.tensor(values[0])
    axes = _spatial(x, node)
    window = _window(node, [x.cells.shape[a] for a in axes[1:]], tuple(node.attrs["kernel_shape"]))
    b = t.builder
    x = apply(t, [x], lambda row: b.unary("abs", row) if power == 1 else b.binary("mul", row, row))
    sums = _summed(t, x, axes, window, 1.0)
    return sums if power == 1 else apply(t, [sums], lambda row: b.unary("sqrt", row))


def _global_pool(largest: bool) -> Callable:
    def build(t: Tracer, node: Node, values: list):
        x = t.tensor(values[0])
        axes = _spatial(x, node)
        window = whole_window([x.cells.shape[a] for a in axes[1:]])
        return _largest(t, x, axes, window) if largest else _summed(t, x, axes, window, 1.0 / prod(window.kernel))
    return build


OPERATORS = {
    "Conv": _conv, "AveragePool": _average_pool, "MaxPool": _max_pool, "LpPool": _lp_pool,
    "GlobalAveragePool": _global_pool(False), "GlobalMaxPool": _global_pool(True),
}
