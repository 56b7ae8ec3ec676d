# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small spiking networks twice: as text of the snn dialect, and as PyTorch programs of the same formulas."""

from __future__ import annotations

import math
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SPIKELOOM_BUILD", ROOT / "build"))


@dataclass(frozen=True)
class Update:
    """An optimiser with its options."""

    kind: str = "adam"
    lr: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    clip: str = ""

    def options(self) -> dict[str, str]:
        """Options of snn-training-step, and with two dashes of snn-compile."""
        options = {"optimizer": self.kind, "lr": f"{self.lr!r}"}
        if self.momentum:
            options |= {"momentum": f"{self.momentum!r}", "nesterov": str(self.nesterov).lower()}
        if self.weight_decay:
            options["weight-decay"] = f"{self.weight_decay!r}"
        return options | ({"clip-gradients": self.clip} if self.clip else {})

    def hyper(self, t: int) -> np.ndarray:
        """The factors of step t, counted from 1: shape [4]."""
        if self.kind == "sgd":
            factors = [self.lr, 0, self.weight_decay, self.momentum]
        else:
            decay = 1 - self.lr * self.weight_decay if self.kind == "adamw" else self.weight_decay
            factors = [self.lr / (1 - math.pow(0.9, t)), 1 / math.sqrt(1 - math.pow(0.999, t)), decay, 0]
        return np.array(factors, np.float32)

    def torch(self, parameters: list):
        """The same optimiser of PyTorch."""
        import torch

        if self.kind == "sgd":
            momentum = {"momentum": self.momentum, "nesterov": self.nesterov}
            return torch.optim.SGD(parameters, lr=self.lr, weight_decay=self.weight_decay, **momentum)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.kind]
        return kind(parameters, lr=self.lr, weight_decay=self.weight_decay)


@dataclass
class Layer:
    """One layer: synapses (recurrent ones, too, if asked for: all to all, or one to one) and neurons."""

    units: int
    decay: float = 0.9375
    gain: float = 1.0
    leak: float = 0.0
    threshold: float = 1.0
    v_reset: float = 0.0
    graded: float = 1.0
    order: str = "integrate_fire"
    reset_time: str = "same_step"
    reset_kind: str = "subtract"
    reset_scope: str = "decayed_state"
    cmp: str = "gt"
    bias: bool = False
    recurrent: bool = False
    one_to_one: bool = False
    learn_decay: bool = False
    learn_threshold: bool = False
    scalar: bool = False  # one number instead of one per neuron for what is learned
    sigmoid: bool = False  # the decay is the sigmoid of what is learned, as in PLIF
    density: float = 1.0  # of the synapses: below 1 they have connections


@dataclass
class Net:
    """A stack of layers over T steps of B samples; the first is fed by `inputs` binary inputs."""

    layers: list[Layer]
    inputs: int = 12
    batch: int = 4
    steps: int = 10
    surrogate: str = "fast_sigmoid"
    slope: float = 25.0
    parameters: tuple[float, ...] | None = None  # of the surrogate, where they are not the slope alone
    detach: bool = True
    seed: int = 0
    loss: str = "cross_entropy"
    readout: str = "spike_count"
    targets: tuple[float, float] = (1.0, 0.0)
    truncate: int = 0
    rate_penalty: tuple[float, float] | None = None
    overflow_penalty: float = 0.0
    values: dict[str, np.ndarray] = field(default_factory=dict)
    masks: dict[str, np.ndarray] = field(default_factory=dict)  # by weight, where there are connections

    def __post_init__(self) -> None:
        """Draws weights on a grid, so that sums of them are exact in any order and no spike depends on rounding."""
        rng = np.random.default_rng(self.seed)

        def draw(*shape: int) -> np.ndarray:
            scale = 2.5 / np.sqrt(shape[-1])
            return (np.round(rng.normal(0.1, scale, shape) * 64) / 64).astype(np.float32)

        fan_in = self.inputs
        for i, layer in enumerate(self.layers):
            self.values[f"fc{i}.weight"] = draw(layer.units, fan_in)
            if layer.bias:
                self.values[f"fc{i}.bias"] = draw(layer.units)
            if layer.recurrent:
                self.values[f"rec{i}.weight"] = draw(*[layer.units] * (1 if layer.one_to_one else 2))
            if layer.learn_decay:
                self.values[f"beta{i}"] = np.linspace(0.5, 0.9375, layer.units, dtype=np.float32)
                if layer.scalar:
                    self.values[f"beta{i}"] = np.array(0.875, np.float32)
            if layer.learn_threshold:
                self.values[f"theta{i}"] = np.linspace(0.5, 1.5, layer.units, dtype=np.float32)
                if layer.scalar:
                    self.values[f"theta{i}"] = np.array(0.75, np.float32)
            fan_in = layer.units
        self.x = (rng.random((self.steps, self.batch, self.inputs)) < 0.4).astype(np.float32)
        self.labels = rng.integers(0, self.layers[-1].units, self.batch).astype(np.int32)
        rng = np.random.default_rng([self.seed, 1])  # masks are the same for every batch
        for i, layer in enumerate(self.layers):
            for name in (f"fc{i}.weight", f"rec{i}.weight"):
                if name in self.values and layer.density < 1:
                    self.masks[name] = rng.random(self.values[name].shape) < layer.density
                    grown = self.values[name] / np.float32(layer.density)  # as much input as all would give
                    self.values[name] = np.where(self.masks[name], np.round(grown * 64) / 64, np.float32(0))

    def type(self, name: str) -> str:
        """The type of a parameter."""
        shape = "x".join([*map(str, self.values[name].shape), "f32"])
        if name not in self.masks:
            return f"tensor<{shape}>"
        lists = [np.flatnonzero(row).tolist() for row in self.masks[name]]
        most = max(map(len, lists))
        padded = [found + [-1] * (most - len(found)) for found in lists]
        return f"tensor<{shape}, #snn.connections<dense<{padded}> : tensor<{len(lists)}x{most}xi32>>>"

    def step_options(self) -> dict[str, str]:
        """Options of snn-training-step, and with two dashes of snn-compile."""
        return {
            "surrogate": ":".join([self.surrogate, *map(str, self.surrogate_parameters())]),
            "detach-reset": str(self.detach).lower(),
            "loss": self.loss,
            "readout": self.readout,
            "targets": f"{self.targets[0]},{self.targets[1]}",
            **({"truncate": str(self.truncate)} if self.truncate else {}),
            **({"rate-penalty": f"{self.rate_penalty[0]}:{self.rate_penalty[1]}"} if self.rate_penalty else {}),
            **({"overflow-penalty": str(self.overflow_penalty)} if self.overflow_penalty else {}),
        }

    def surrogate_parameters(self) -> tuple[float, ...]:
        """All parameters of the surrogate."""
        return (self.slope,) if self.parameters is None else self.parameters

    def mlir(self) -> str:
        """The model as a module of the snn dialect."""
        b = self.batch
        arguments = [f'%x: tensor<{self.steps}x{b}x{self.inputs}xf32> {{snn.name = "x", snn.kind = #snn.kind<input>}}']
        for name in self.values:
            arguments.append(
                f"%{name.replace('.', '_')}: {self.type(name)} "
                f'{{snn.name = "{name}", snn.kind = #snn.kind<parameter>, snn.trainable}}'
            )
        states, body, finals, types, names = [], [], [], [], []
        previous, width = "%xt", self.inputs
        for i, layer in enumerate(self.layers):
            n = layer.units
            row, fan_in = f"tensor<{b}x{n}xf32>", f"tensor<{b}x{width}xf32>"
            arguments.append(
                f'%v{i}: {row} {{snn.name = "mem{i}", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32}}'
            )
            states.append(f"%m{i} = %v{i} : {row}")
            bias = f"bias(%fc{i}_bias : tensor<{n}xf32>) " if layer.bias else ""
            kind = self.type(f"fc{i}.weight")
            body.append(f"%i{i} = snn.linear {previous}, %fc{i}_weight {bias}: ({fan_in}, {kind}) -> {row}")
            current = f"%i{i}"
            if layer.recurrent:
                arguments.append(
                    f'%z{i}: {row} {{snn.name = "spk{i}", snn.kind = #snn.kind<state>, snn.initial = 0.0 : f32}}'
                )
                states.append(f"%p{i} = %z{i} : {row}")
                if layer.one_to_one:
                    body.append(f"%d{i} = snn.broadcast %rec{i}_weight : tensor<{n}xf32> -> {row}")
                    body.append(f"%r{i} = arith.mulf %p{i}, %d{i} : {row}")
                else:
                    kind = self.type(f"rec{i}.weight")
                    body.append(f"%r{i} = snn.linear %p{i}, %rec{i}_weight : ({row}, {kind}) -> {row}")
                body.append(f"%j{i} = arith.addf %i{i}, %r{i} : {row}")
                current = f"%j{i}"
            learned = "tensor<f32>" if layer.scalar else f"tensor<{n}xf32>"
            if layer.sigmoid:
                body += [
                    f"%one{i} = arith.constant dense<1.0> : {learned}",
                    f"%neg{i} = arith.negf %beta{i} : {learned}",
                    f"%exp{i} = math.exp %neg{i} : {learned}",
                    f"%sum{i} = arith.addf %one{i}, %exp{i} : {learned}",
                    f"%sig{i} = arith.divf %one{i}, %sum{i} : {learned}",
                ]
            factor = f"%sig{i}" if layer.sigmoid else f"%beta{i}"
            decay = f"decay({factor} : {learned}) " if layer.learn_decay else ""
            decay += f"threshold(%theta{i} : {learned}) " if layer.learn_threshold else ""
            body.append(
                f"%s{i}, %n{i} = snn.neuron {current}, %m{i} {decay}{{decay = {layer.decay!r} : f32, "
                f"gain = {layer.gain!r} : f32, leak = {layer.leak!r} : f32, threshold = {layer.threshold!r} : f32, "
                f"v_reset = {layer.v_reset!r} : f32, graded = {layer.graded!r} : f32, "
                f"order = #snn.order<{layer.order}>, reset_time = #snn.reset_time<{layer.reset_time}>, "
                f"reset_kind = #snn.reset_kind<{layer.reset_kind}>, "
                f"reset_scope = #snn.reset_scope<{layer.reset_scope}>, cmp = #snn.cmp<{layer.cmp}>}} "
                f": {row}, {row} -> {row}, {row}"
            )
            finals += [f"%n{i}"] + ([f"%s{i}"] if layer.recurrent else [])
            types += [row] * (2 if layer.recurrent else 1)
            names += [f"mem{i}"] + ([f"spk{i}"] if layer.recurrent else [])
            previous, width = f"%s{i}", n
        stacked = f"tensor<{self.steps}x{b}x{width}xf32>"
        lines = "\n      ".join(body)
        results = [f'{stacked} {{snn.name = "spk"}}'] + [
            f'{kind} {{snn.name = "{name}_out", snn.state = "{name}"}}' for name, kind in zip(names, types, strict=True)
        ]
        returned = ["%y"] + [f"%f#{k}" for k in range(len(finals))]
        return f"""
func.func @main({", ".join(arguments)}) -> ({", ".join(results)}) {{
  %y, %f:{len(finals)} = snn.scan over(%xt = %x : tensor<{self.steps}x{b}x{self.inputs}xf32>)
      state({", ".join(states)}) -> ({stacked}), ({", ".join(types)}) {{
      {lines}
    snn.yield step({previous} : tensor<{b}x{width}xf32>) state({", ".join(finals)} : {", ".join(types)})
  }}
  return {", ".join(returned)} : {", ".join([stacked, *types])}
}}
"""


def run(*command: str | Path) -> None:
    """Runs a tool that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"


def run_pipeline(source: str, pipeline: str, folder: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Passes `source` through snn-opt and evaluates its `@main` with snn-interpret; results by name."""
    model = folder / "model.mlir"
    model.write_text(source)
    lowered = folder / "lowered.mlir"
    subprocess.run([BUILD / "bin/snn-opt", model, f"--pass-pipeline={pipeline}", "-o", lowered], check=True)
    command: list[str | Path] = [BUILD / "bin/snn-interpret", lowered, "--output", folder / "results"]
    for name, value in inputs.items():
        path = folder / f"{name}.npy"
        np.save(path, value)
        command += ["--input", f"{name}={path}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {path.stem: np.load(path) for path in (folder / "results").glob("*.npy")}


def training_results(
    net: Net,
    folder: Path,
    events: str = "",
    step: str = "",
    inputs: dict[str, np.ndarray] | None = None,
    source: str | None = None,
) -> dict[str, np.ndarray]:
    """One training step of `net` (or of the `source` instead) in the interpreter, after the whole pipeline.

    `events` and `step` are pass options.
    """
    pipeline = (
        f"builtin.module(func.func(snn-choose-events{{{events}}}),"
        f"snn-training-step{{{' '.join(f'{k}={v}' for k, v in net.step_options().items())} {step}}},"
        "func.func(snn-fuse-time-sums),canonicalize,cse,snn-verify-encoding)"
    )
    arrays = {"x": net.x, "labels": net.labels, **net.values, **(inputs or {})}
    return run_pipeline(source or net.mlir(), pipeline, folder, arrays)


def torch_gradients(
    net: Net,
    activity: float = 0.0,
    near: float | None = None,
    input_capacity: int = 0,
    cotangent: np.ndarray | None = None,
    rotate: bool = False,
):
    """Loss, counts and gradients of `net` by PyTorch's autograd.

    With a `cotangent` of the spikes the loss is the sum of their product, and the input has a gradient, too.
    With `activity` hidden lists hold max(2, 2 floor(activity N / 2)) entries: spikes first come, then neurons above
    `near` times the threshold (all neurons if None). Only listed neurons get a surrogate gradient. With `rotate` the
    first-come order starts at another neuron in every step and sample. The loss that is returned is without penalties.
    """
    import torch

    from torch_surrogates import SURROGATES

    class Spike(torch.autograd.Function):
        """`value` forward; the surrogate of `u` where `listed` backward."""

        @staticmethod
        def forward(ctx, u, theta, value, listed):
            ctx.save_for_backward(u, theta.expand(u.shape), value, listed)
            return value

        @staticmethod
        def backward(ctx, gradient):
            u, theta, value, listed = ctx.saved_tensors
            slope = SURROGATES[net.surrogate](u, u + theta, theta, value > 0, *net.surrogate_parameters())
            return torch.where(listed, gradient * slope, 0.0), None, None, None

    def first_come(wanted, room, t: int):
        """Those of `wanted` [B, N] that find room [B, 1], from the first unit of this step and sample on."""
        units = wanted.shape[1]
        order = torch.arange(units).expand(wanted.shape)
        if rotate:
            per_step, per_sample = 618 * units // 1000 | 1, 382 * units // 1000 | 1
            order = (order + t * per_step + torch.arange(wanted.shape[0])[:, None] * per_sample) % units
        turned = wanted.gather(1, order)
        return torch.zeros_like(wanted).scatter(1, order, turned & (torch.cumsum(turned, 1) <= room))

    def lists(fires, p, capacity: int, theta, t: int):
        if not capacity:
            return fires, torch.ones_like(fires)
        kept = first_come(fires, capacity, t)
        close = ~fires if near is None else ~fires & (p > near * theta)
        return kept, kept | first_come(close, capacity - kept.sum(1, keepdim=True), t)

    def penalty(p, theta, fires, capacity: int):
        """What firing costs in this step, through the surrogate of every neuron: the mean over the samples."""
        share = Spike.apply(p - theta, theta.detach(), fires.float(), torch.ones_like(fires)).mean(1)
        cost = torch.zeros(())
        if net.rate_penalty:
            cost = cost + net.rate_penalty[0] * torch.relu(share - net.rate_penalty[1]).square().mean()
        if net.overflow_penalty and 0 < capacity < fires.shape[1]:
            limit = 0.9 * capacity / fires.shape[1]
            cost = cost + net.overflow_penalty * torch.relu(share - limit).square().mean()
        return cost / net.steps

    values = {name: torch.tensor(value, requires_grad=True) for name, value in net.values.items()}
    masked = {name: values[name] * torch.tensor(mask) for name, mask in net.masks.items()}
    x = torch.tensor(net.x, requires_grad=cotangent is not None)
    membranes = [torch.zeros(net.batch, layer.units) for layer in net.layers]
    spikes = [torch.zeros(net.batch, layer.units) for layer in net.layers]
    everywhere = [torch.ones(net.batch, layer.units, dtype=torch.bool) for layer in net.layers]
    spikes_of_steps, membranes_of_steps = [], []
    costs = torch.zeros(())
    for t in range(net.steps):
        if net.truncate and t % net.truncate == 0:
            membranes = [value.detach() for value in membranes]
            spikes = [value.detach() for value in spikes]
        row = x[t]
        if input_capacity:
            row = row * first_come(row != 0, input_capacity, t)
        for i, layer in enumerate(net.layers):
            current = row @ masked.get(f"fc{i}.weight", values[f"fc{i}.weight"]).T
            if layer.bias:
                current = current + values[f"fc{i}.bias"]
            if layer.recurrent:
                back = masked.get(f"rec{i}.weight", values[f"rec{i}.weight"])
                current = current + (spikes[i] * back if layer.one_to_one else spikes[i] @ back.T)
            decay = values[f"beta{i}"] if layer.learn_decay else torch.tensor(layer.decay)
            decay = torch.sigmoid(decay) if layer.sigmoid else decay
            v = membranes[i]
            theta = values[f"theta{i}"] if layer.learn_threshold else torch.tensor(layer.threshold)

            def fire(p, theta=theta, layer=layer):
                return p > theta if layer.cmp == "gt" else p >= theta

            def integrate(start, decay=decay, layer=layer, current=current):
                update = decay * start + (current if layer.gain == 1 else layer.gain * current)
                return update if layer.leak == 0 else update + (1 - decay) * layer.leak

            def reset_signal(p, listed, fire=fire, theta=theta):
                r = fire(p).float()
                return r if net.detach else Spike.apply(p - theta, theta.detach(), r, listed)

            hidden = i + 1 < len(net.layers) or layer.recurrent
            full = i + 1 == len(net.layers)
            capacity = 0
            if hidden and activity:
                capacity = layer.units if full else max(2, 2 * int(activity * layer.units / 2))
            early = layer.order == "fire_integrate"
            delayed = layer.reset_time == "delayed"
            if not early and not delayed:
                p = integrate(v)
                kept, listed = lists(fire(p), p, capacity, theta, t)
                r = reset_signal(p, listed)
                if layer.reset_kind == "subtract":
                    v = p - r * theta
                elif layer.reset_kind == "value":
                    v = p + r * (layer.v_reset - p) if not net.detach else torch.where(r > 0, layer.v_reset, p)
                else:
                    v = p
            else:
                kept, listed = lists(fire(v), v, capacity, theta, t) if early else (None, everywhere[i])
                r = reset_signal(v, listed)
                p = v
                if layer.reset_kind == "value" and layer.reset_scope == "decayed_state":
                    start = v + r * (layer.v_reset - v) if not net.detach else torch.where(r > 0, layer.v_reset, v)
                    v = integrate(start)
                else:
                    v = integrate(v)
                    if layer.reset_kind == "subtract":
                        v = v - r * theta
                    elif layer.reset_kind == "value":
                        v = v + r * (layer.v_reset - v) if not net.detach else torch.where(r > 0, layer.v_reset, v)
                if not early:
                    p = v
                    kept, listed = lists(fire(p), p, capacity, theta, t)
            membranes[i] = v
            row = spikes[i] = layer.graded * Spike.apply(p - theta, theta.detach(), kept.float(), listed)
            if hidden:
                costs = costs + penalty(p, theta, fire(p), capacity)
        spikes_of_steps.append(row)
        membranes_of_steps.append(membranes[-1])
    counts = sum(spikes_of_steps[1:], spikes_of_steps[0])
    if cotangent is not None:
        loss = (torch.stack(spikes_of_steps) * torch.tensor(cotangent)).sum()
        values["x"] = x
    else:
        loss = torch_loss(net, torch.stack(spikes_of_steps), torch.stack(membranes_of_steps))
    (loss + costs).backward()
    return loss.item(), counts.detach().numpy(), {name: value.grad.numpy() for name, value in values.items()}


def torch_loss(net: Net, spikes, membranes):
    """The loss of `net` in PyTorch from its output spikes and membranes, both [T, B, C]."""
    import torch

    labels = torch.tensor(net.labels).long()
    readouts = {
        "spike_count": lambda: spikes.sum(0),
        "spike_rate": lambda: spikes.mean(0),
        "membrane_mean": lambda: membranes.mean(0),
        "membrane_max": lambda: membranes.max(0).values,
        "membrane_last": lambda: membranes[-1],
        "membrane_each": lambda: membranes,
    }
    values = readouts[net.readout]()
    onehot = torch.nn.functional.one_hot(labels, values.shape[-1]).float()
    on, off = net.targets
    if net.loss == "mse_count":  # whole spikes, as snnTorch
        on, off = int(on * net.steps), int(off * net.steps)
    wanted = onehot * on + (1 - onehot) * off

    def judge(row):
        if net.loss == "cross_entropy":
            return torch.nn.functional.cross_entropy(row, labels)
        return torch.nn.functional.mse_loss(row, wanted) / (net.steps if net.loss == "mse_count" else 1)

    return torch.stack([judge(row) for row in values]).mean() if values.ndim == 3 else judge(values)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Norm of the difference over the norm of what is expected."""
    scale = np.linalg.norm(expected)
    return float(np.linalg.norm(found - expected) / (scale if scale > 0 else 1.0))
