# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small networks of layers on features [C, H, W], twice: as text of the snn dialect, and as PyTorch programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from spiking_models import relative_error, run_pipeline


def mix_bits(x: np.ndarray) -> np.ndarray:
    """The hash of include/spikeloom/Support/Random.h."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def random_keys(step: int, count: int) -> np.ndarray:
    """What the runtime draws for a training step, counted from 1."""
    stream = mix_bits(np.array([step], np.uint32))
    return mix_bits(stream ^ np.arange(count, dtype=np.uint32)) >> np.uint32(8)


def kept_units(keys: np.ndarray, salt: int, units: int, rate: float) -> np.ndarray:
    """Which units `[B, units]` a dropout keeps of samples with the given keys `[B]`."""
    stream = mix_bits(keys ^ np.uint32(salt))[:, None]
    return mix_bits(stream ^ np.arange(units, dtype=np.uint32)) >> np.uint32(8) >= round(rate * 2**24)


@dataclass
class Row:
    """A value of one step: its name in the text, its shape as features, and how PyTorch computes it."""

    name: str
    shape: tuple[int, ...]
    evaluate: Callable[[dict], object]

    @property
    def units(self) -> int:
        return prod(self.shape)


@dataclass
class FeatureNet:
    """Builds both forms of a network side by side; the last spikes are summed over time and classified.

    Weights lie on a grid, so that sums are exact in any order and no spike depends on rounding.
    """

    input_shape: tuple[int, ...] = (2, 6, 6)
    batch: int = 3
    steps: int = 6
    slope: float = 5.0
    seed: int = 0
    values: dict[str, np.ndarray] = field(default_factory=dict)
    statistics: dict[str, np.ndarray] = field(default_factory=dict)
    salt: int = 0
    prologue: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    states: list[tuple[str, str, str, Callable]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.count = 0
        self.x = (self.rng.random((self.steps, self.batch, prod(self.input_shape))) < 0.5).astype(np.float32)
        self.input = Row("%xt", self.input_shape, lambda env: env["x"])
        self.labels = self.rng.integers(0, 4, self.batch).astype(np.int32)

    # Text.

    def type(self, row: Row) -> str:
        return f"tensor<{self.batch}x{row.units}xf32>"

    def fresh(self) -> str:
        self.count += 1
        return f"%r{self.count}"

    def parameter(self, name: str, *shape: int, scale: float = 1.0, offset: float = 0.125) -> str:
        fan_in = shape[-1] if len(shape) > 1 else 1
        drawn = self.rng.normal(offset, scale * 1.5 / np.sqrt(fan_in), shape)
        self.values[name] = (np.round(drawn * 64) / 64).astype(np.float32)
        return "%" + name.replace(".", "_")

    def emit(self, shape: tuple[int, ...], text: str, evaluate: Callable[[dict], object]) -> Row:
        """A row of `text`, evaluated once a step; text that ends in ":" or "->" lacks the type of the row."""
        name = self.fresh()
        row = Row(name, shape, lambda env: env.setdefault(name, evaluate(env)) if name not in env else env[name])
        self.body.append(f"{name} = {text} {self.type(row) if text.endswith((':', '->')) else ''}")
        return row

    # Layers.

    def conv(
        self,
        x: Row,
        name: str,
        out: int,
        kernel: tuple[int, ...],
        stride=None,
        padding=None,
        dilation=None,
        groups: int = 1,
        bias: bool = False,
    ) -> Row:
        import torch

        axes = len(kernel)
        stride, padding, dilation = stride or (1,) * axes, padding or (0,) * axes, dilation or (1,) * axes
        taps = x.shape[0] // groups * prod(kernel)
        spatial = tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(x.shape[1:], kernel, stride, padding, dilation, strict=True)
        )
        shape = (out, *spatial)
        weight = self.parameter(f"{name}.weight", out, taps)
        matrix = f"tensor<{prod(shape)}x{x.units}xf32>"
        self.prologue.append(
            f"%{name}_matrix = snn.conv_matrix {weight} {{input = {list(x.shape)}, kernel = {list(kernel)}, "
            f"strides = {list(stride)}, padding = {list(padding) * 2}, dilations = {list(dilation)}, "
            f"groups = {groups}}} : tensor<{out}x{taps}xf32> -> {matrix}"
        )
        with_bias = ""
        if bias:
            channel = self.parameter(f"{name}.bias", out, scale=0.125)
            self.prologue.append(
                f"%{name}_spread = snn.spread {channel} {{inner = {prod(spatial)}}} "
                f": tensor<{out}xf32> -> tensor<{prod(shape)}xf32>"
            )
            with_bias = f"bias(%{name}_spread : tensor<{prod(shape)}xf32>) "
        function = torch.nn.functional.conv1d if axes == 1 else torch.nn.functional.conv2d

        def evaluate(env: dict):
            kernels = env[f"{name}.weight"].reshape(out, x.shape[0] // groups, *kernel)
            found = function(
                x.evaluate(env).reshape(-1, *x.shape),
                kernels,
                env.get(f"{name}.bias"),
                stride,
                padding,
                dilation,
                groups,
            )
            return found.reshape(self.batch, -1)

        return self.emit(
            shape, f"snn.linear {x.name}, %{name}_matrix {with_bias}: ({self.type(x)}, {matrix}) ->", evaluate
        )

    def linear(self, x: Row, name: str, out: int) -> Row:
        weight = self.parameter(f"{name}.weight", out, x.units)
        text = f"snn.linear {x.name}, {weight} : ({self.type(x)}, tensor<{out}x{x.units}xf32>) ->"
        return self.emit((out,), text, lambda env: x.evaluate(env) @ env[f"{name}.weight"].T)

    def average(self, x: Row, name: str, size: int, value: float | None = None) -> Row:
        """Average pooling, or with another value than 1 / size**2 sum pooling: a convolution with a constant kernel."""
        import torch

        channels, value = x.shape[0], value or 1 / size**2
        shape = (channels, x.shape[1] // size, x.shape[2] // size)
        kernel, matrix = f"tensor<{channels}x{size * size}xf32>", f"tensor<{prod(shape)}x{x.units}xf32>"
        self.prologue += [
            f"%{name}_kernel = arith.constant dense<{value}> : {kernel}",
            f"%{name}_matrix = snn.conv_matrix %{name}_kernel {{input = {list(x.shape)}, kernel = {[size, size]}, "
            f"strides = {[size, size]}, groups = {channels}}} : {kernel} -> {matrix}",
        ]

        def evaluate(env: dict):
            pooled = torch.nn.functional.avg_pool2d(x.evaluate(env).reshape(-1, *x.shape), size)
            return pooled.reshape(self.batch, -1) * (value * size**2)

        return self.emit(shape, f"snn.linear {x.name}, %{name}_matrix : ({self.type(x)}, {matrix}) ->", evaluate)

    def maximum(self, x: Row, size: int, stride: int, padding: int = 0) -> Row:
        """Max pooling: the maximum of the parts under each position of the window, the first one winning ties."""
        import torch

        out = [(n + 2 * padding - size) // stride + 1 for n in x.shape[1:]]
        shape = (x.shape[0], *out)
        row = None
        for i in reversed(range(size)):
            for j in reversed(range(size)):
                part = self.slice(x, x.shape, [0, i - padding, j - padding], shape, [1, stride, stride], fill=-1e30)
                row = (
                    part
                    if row is None
                    else self.emit(shape, f"arith.maximumf {row.name}, {part.name} :", lambda env: None)
                )

        def evaluate(env: dict):
            pooled = torch.nn.functional.max_pool2d(x.evaluate(env).reshape(-1, *x.shape), size, stride, padding)
            return pooled.reshape(self.batch, -1)

        return Row(row.name, shape, evaluate)

    def slice(self, x: Row, view, offsets, sizes, strides, fill: float = 0.0) -> Row:
        import torch

        text = (
            f"snn.slice {x.name} {{shape = {list(view)}, offsets = {list(offsets)}, sizes = {list(sizes)}, "
            f"strides = {list(strides)}, fill = {fill:e} : f32}} : {self.type(x)} ->"
        )

        def evaluate(env: dict):
            value = x.evaluate(env).reshape(-1, *view)
            pads = []
            for n, o, s, k in zip(reversed(view), reversed(offsets), reversed(strides), reversed(sizes), strict=True):
                pads += [max(0, -o), max(0, o + s * (k - 1) + 1 - n)]
            value = torch.nn.functional.pad(value, pads, value=fill)
            for axis, (o, s, k) in enumerate(zip(offsets, strides, sizes, strict=True)):
                value = value.narrow(axis + 1, max(0, o), s * (k - 1) + 1)
                value = value[(slice(None),) * (axis + 1) + (slice(None, None, s),)]
            return value.reshape(self.batch, -1)

        return self.emit(tuple(sizes), text, evaluate)

    def add(self, a: Row, b: Row) -> Row:
        return self.emit(a.shape, f"arith.addf {a.name}, {b.name} :", lambda env: a.evaluate(env) + b.evaluate(env))

    def concat(self, *rows: Row) -> Row:
        import torch

        shape = (sum(row.shape[0] for row in rows), *rows[0].shape[1:])
        names, types = ", ".join(row.name for row in rows), ", ".join(self.type(row) for row in rows)
        return self.emit(
            shape, f"snn.concat {names} : ({types}) ->", lambda env: torch.cat([row.evaluate(env) for row in rows], 1)
        )

    def softmax(self, x: Row, log: bool = False) -> Row:
        import torch

        function = torch.log_softmax if log else torch.softmax
        return self.emit(
            x.shape,
            f"snn.softmax {x.name} {{log}} :" if log else f"snn.softmax {x.name} :",
            lambda env: function(x.evaluate(env), 1),
        )

    def batch_norm(self, x: Row, name: str) -> Row:
        """With the statistics of the batch and the positions of a channel; moves the running ones."""
        import torch

        channels = x.shape[0]
        scale, shift = (
            self.parameter(f"{name}.{part}", channels, scale=0.125, offset=0.5) for part in ("scale", "shift")
        )
        mean, variance = self.statistic(f"{name}.mean", channels, 0.25), self.statistic(f"{name}.var", channels, 1.5)
        text = (
            f"snn.batch_norm {x.name} mean({mean}) variance({variance}) scale({scale}) shift({shift}) "
            f"{{inner = {x.units // channels}}} : {self.type(x)}, tensor<{channels}xf32>"
        )

        def evaluate(env: dict):
            value = x.evaluate(env).reshape(self.batch, channels, -1)
            normal = torch.nn.functional.batch_norm(
                value,
                env[f"{name}.mean"],
                env[f"{name}.var"],
                env[f"{name}.scale"],
                env[f"{name}.shift"],
                training=True,
            )
            return normal.reshape(self.batch, -1)

        return self.emit(x.shape, text, evaluate)

    def statistic(self, name: str, channels: int, value: float) -> str:
        self.statistics[name] = np.full(channels, value, np.float32)
        return "%" + name.replace(".", "_")

    def dropout(self, x: Row, rate: float, hold: bool = False) -> Row:
        import torch

        self.salt += 1
        salt = self.salt

        def evaluate(env: dict):
            keys = random_keys(1, self.batch if hold else self.steps * self.batch)
            if not hold:
                keys = keys.reshape(self.steps, self.batch)[env["t"]]
            kept = kept_units(keys, salt, x.units, rate)
            return torch.where(torch.tensor(kept), x.evaluate(env) / (1 - rate), 0.0)

        held = ", hold" if hold else ""
        return self.emit(x.shape, f"snn.dropout {x.name} {{rate = {rate} : f32{held}}} : {self.type(x)}", evaluate)

    def spikes(self, x: Row, decay: float = 0.875) -> Row:
        """A leaky neuron that subtracts its threshold of 1 at once."""
        k = len(self.states)
        kind, state, new, out = self.type(x), f"%m{k}", f"%n{k}", self.fresh()
        self.body.append(
            f"{out}, {new} = snn.neuron {x.name}, {state} {{decay = {decay} : f32}} : {kind}, {kind} -> {kind}, {kind}"
        )

        def evaluate(env: dict):
            if out not in env:
                p = decay * env["states"][k] + x.evaluate(env)
                env[out] = env["spike"](p - 1)
                env["next"][k] = p - env[out].detach()
            return env[out]

        self.states.append((state, new, kind, x.units))
        return Row(out, x.shape, evaluate)

    # Whole programs.

    def mlir(self, output: Row) -> str:
        t, b = self.steps, self.batch
        arguments = [f'%x: tensor<{t}x{b}x{self.input.units}xf32> {{snn.name = "x", snn.kind = #snn.kind<input>}}']
        for name, value in self.values.items():
            shape = "x".join(map(str, value.shape))
            arguments.append(
                f"%{name.replace('.', '_')}: tensor<{shape}xf32> "
                f'{{snn.name = "{name}", snn.kind = #snn.kind<parameter>, snn.trainable}}'
            )
        for name, value in self.statistics.items():
            arguments.append(
                f"%{name.replace('.', '_')}: tensor<{value.size}xf32> "
                f'{{snn.name = "{name}", snn.kind = #snn.kind<parameter>}}'
            )
        states = []
        for k, (state, _, kind, _) in enumerate(self.states):
            arguments.append(f'%v{k}: {kind} {{snn.name = "mem{k}", snn.kind = #snn.kind<state>}}')
            states.append(f"{state} = %v{k} : {kind}")
        kinds = ", ".join(kind for *_, kind, _ in self.states)
        stacked = f"tensor<{t}x{b}x{output.units}xf32>"
        body, prologue = "\n    ".join(self.body), "\n  ".join(self.prologue)
        news = ", ".join(new for _, new, *_ in self.states)
        return f"""
func.func @main({", ".join(arguments)}) -> ({stacked} {{snn.name = "out"}}) {{
  {prologue}
  %y, %f:{len(states)} = snn.scan over(%xt = %x : tensor<{t}x{b}x{self.input.units}xf32>)
      state({", ".join(states)}) -> ({stacked}), ({kinds}) {{
    {body}
    snn.yield step({output.name} : {self.type(output)}) state({news} : {kinds})
  }}
  return %y : {stacked}
}}
"""

    def torch_gradients(self, output: Row):
        """Loss and gradients by autograd."""
        import torch

        from torch_surrogates import fast_sigmoid_spikes

        spike = fast_sigmoid_spikes(self.slope)
        values = {name: torch.tensor(value, requires_grad=True) for name, value in self.values.items()}
        statistics = {name: torch.tensor(value) for name, value in self.statistics.items()}
        membranes = [torch.zeros(self.batch, units) for *_, units in self.states]
        total = 0
        for t in range(self.steps):
            env = {
                **values,
                **statistics,
                "t": t,
                "x": torch.tensor(self.x[t]),
                "states": membranes,
                "next": list(membranes),
                "spike": spike,
            }
            total = total + output.evaluate(env)
            membranes = env["next"]
        loss = torch.nn.functional.cross_entropy(total, torch.tensor(self.labels).long())
        loss.backward()
        self.moved = {name: value.numpy() for name, value in statistics.items()}
        return loss.item(), {name: value.grad.numpy() for name, value in values.items()}


def conv2d() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=1)
    hidden = net.spikes(net.conv(net.input, "conv1", 4, (3, 3), stride=(2, 2), padding=(1, 1), bias=True))
    return net, net.spikes(net.linear(hidden, "fc", 4))


def conv2d_groups() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=2)
    hidden = net.spikes(net.conv(net.input, "conv1", 4, (3, 2), stride=(2, 1), padding=(1, 0), groups=2))
    hidden = net.spikes(net.conv(hidden, "conv2", 6, (2, 2), dilation=(1, 2), bias=True))
    return net, net.spikes(net.linear(hidden, "fc", 4))


def conv1d() -> tuple[FeatureNet, Row]:
    net = FeatureNet(input_shape=(3, 12), seed=3)
    hidden = net.spikes(net.conv(net.input, "conv1", 5, (4,), stride=(2,), padding=(1,), bias=True))
    return net, net.spikes(net.linear(hidden, "fc", 4))


def average_pool() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=4)
    hidden = net.spikes(net.conv(net.input, "conv1", 4, (3, 3), padding=(1, 1)))
    hidden = net.spikes(net.average(hidden, "pool", 2, value=0.5))
    return net, net.spikes(net.linear(hidden, "fc", 4))


def maximum_pool() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=5)
    hidden = net.spikes(net.maximum(net.conv(net.input, "conv1", 4, (3, 3), padding=(1, 1)), 2, 2))
    return net, net.spikes(net.linear(hidden, "fc", 4))


def maximum_of_spikes() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=6)
    hidden = net.maximum(net.spikes(net.conv(net.input, "conv1", 3, (3, 3))), 3, 2, padding=1)
    return net, net.spikes(net.linear(hidden, "fc", 4))


def residual() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=7)
    hidden = net.spikes(net.conv(net.input, "conv1", 2, (3, 3), padding=(1, 1)))
    hidden = net.add(net.spikes(net.conv(hidden, "conv2", 2, (3, 3), padding=(1, 1))), hidden)
    return net, net.spikes(net.linear(hidden, "fc", 4))


def concatenation() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=8)
    left = net.spikes(net.conv(net.input, "left", 2, (3, 3), padding=(1, 1)))
    right = net.spikes(net.conv(net.input, "right", 3, (1, 1), padding=(0, 0)))
    return net, net.spikes(net.linear(net.concat(left, right, net.input), "fc", 4))


def parts() -> tuple[FeatureNet, Row]:
    net = FeatureNet(input_shape=(12,), seed=9)
    gates = net.linear(net.input, "gates", 24)
    first, second = (net.slice(gates, (24,), (o,), (12,), (1,)) for o in (0, 12))
    # Shifted by one, so that a border reads the fill.
    shifted = net.slice(second, (3, 4), (-1, 1), (3, 4), (1, 1), fill=0.5)
    return net, net.spikes(net.linear(net.spikes(net.add(first, shifted)), "fc", 4))


def attention() -> tuple[FeatureNet, Row]:
    net = FeatureNet(input_shape=(10,), seed=10)
    hidden = net.softmax(net.linear(net.input, "fc1", 8))
    return net, net.softmax(net.linear(net.spikes(hidden, decay=0.96875), "fc2", 4), log=True)


def batch_normalisation() -> tuple[FeatureNet, Row]:
    net = FeatureNet(input_shape=(10,), seed=11, batch=6)
    hidden = net.spikes(net.batch_norm(net.linear(net.input, "fc1", 8), "norm"))
    return net, net.spikes(net.linear(hidden, "fc2", 4))


def batch_normalisation_of_channels() -> tuple[FeatureNet, Row]:
    net = FeatureNet(seed=12)
    hidden = net.spikes(net.batch_norm(net.conv(net.input, "conv1", 3, (3, 3)), "norm1"))
    hidden = net.spikes(net.batch_norm(net.conv(hidden, "conv2", 4, (2, 2)), "norm2"))
    return net, net.spikes(net.linear(hidden, "fc", 4))


def dropped() -> tuple[FeatureNet, Row]:
    net = FeatureNet(input_shape=(16,), seed=13)
    hidden = net.dropout(net.spikes(net.linear(net.input, "fc1", 24)), 0.5)
    hidden = net.spikes(net.dropout(net.linear(hidden, "fc2", 16), 0.25, hold=True))
    return net, net.spikes(net.linear(hidden, "fc3", 4))


NETS = {
    "conv2d, stride, padding, bias": conv2d,
    "conv2d, groups, dilation": conv2d_groups,
    "conv1d": conv1d,
    "average pooling": average_pool,
    "max pooling": maximum_pool,
    "max pooling of spikes, overlapping": maximum_of_spikes,
    "residual": residual,
    "concatenation": concatenation,
    "parts of rows": parts,
    "softmax": attention,
    "batch norm": batch_normalisation,
    "batch norm of channels": batch_normalisation_of_channels,
    "dropout": dropped,
}


def gradient_errors(name: str, folder: Path) -> dict[str, float]:
    """Relative errors of a training step of one of the networks: loss, gradients, running statistics, by name."""
    net, output = NETS[name]()
    loss, gradients = net.torch_gradients(output)
    pipeline = (
        "builtin.module(func.func(snn-prepare-layers{train=true},snn-choose-events),"
        f"snn-training-step{{surrogate=fast_sigmoid:{net.slope}}},"
        "func.func(snn-fuse-time-sums),canonicalize,cse,snn-verify-encoding)"
    )
    inputs = {"x": net.x, "labels": net.labels, **net.values, **net.statistics}
    results = run_pipeline(net.mlir(output), pipeline, folder, inputs)
    errors = {"loss": abs(float(results["loss"]) - loss) / loss}
    for parameter, expected in gradients.items():
        assert np.linalg.norm(expected) > 0, f"{parameter}: a gradient of zero tests nothing"
        errors[f"{parameter}.grad"] = relative_error(results[f"{parameter}.grad"], expected)
    for statistic, expected in net.moved.items():
        errors[statistic] = relative_error(results[statistic], expected)
    return errors
