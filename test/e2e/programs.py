# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions with several scans and with rows outside scans, as text of the snn dialect."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def tensor(*shape: int) -> str:
    """The type of an f32 tensor."""
    return f"tensor<{'x'.join([*map(str, shape), 'f32'])}>"


@dataclass
class Function:
    """Text of `@main`, put together from its arguments, body and results; inputs and parameters are drawn."""

    name: str
    inputs: dict[str, tuple[int, ...]]
    parameters: dict[str, tuple[int, ...]]
    body: str
    results: list[tuple[str, str, tuple[int, ...]]]  # value, name, shape
    states: dict[str, tuple[int, ...]] = field(default_factory=dict)
    readout: str = "output"
    binary: bool = False

    def mlir(self) -> str:
        """The module."""
        arguments = [
            f'%{n}: {tensor(*s)} {{snn.name = "{n}", snn.kind = #snn.kind<input>}}' for n, s in self.inputs.items()
        ]
        arguments += [
            f'%{n}: {tensor(*s)} {{snn.name = "{n}", snn.kind = #snn.kind<parameter>, snn.trainable}}'
            for n, s in self.parameters.items()
        ]
        arguments += [
            f'%{n}: {tensor(*s)} {{snn.name = "{n}", snn.kind = #snn.kind<state>, snn.initial = 0.25 : f32}}'
            for n, s in self.states.items()
        ]
        results = [f'{tensor(*s)} {{snn.name = "{n}"}}' for _, n, s in self.results]
        values, types = [v for v, _, _ in self.results], [tensor(*s) for _, _, s in self.results]
        separator = ",\n    "
        return (
            f"func.func @main({separator.join(arguments)})\n    -> ({', '.join(results)}) {{\n"
            f"{self.body}\n  return {', '.join(values)} : {', '.join(types)}\n}}\n"
        )

    def values(self) -> dict[str, np.ndarray]:
        """Parameters."""
        rng = np.random.default_rng(1)
        return {
            n: (rng.normal(0, 1 / np.sqrt(s[-1] if s else 1), s)).astype(np.float32) for n, s in self.parameters.items()
        }

    def data(self) -> dict[str, np.ndarray]:
        """Inputs."""
        rng = np.random.default_rng(2)
        if self.binary:
            return {n: (rng.random(s) < 0.4).astype(np.float32) for n, s in self.inputs.items()}
        return {n: rng.normal(0, 1, s).astype(np.float32) for n, s in self.inputs.items()}


T, B, IN, N, C, M = 6, 5, 11, 37, 4, 9
ROW, LOGITS, SEQUENCE, STACK = tensor(B, N), tensor(B, C), tensor(T, B, IN), tensor(T, B, N)


def cell(x: str, h: str, w: str, u: str, width: int = IN, tag: str = "") -> str:
    """h' = tanh(W x + U h), as %next."""
    return f"""
    %i{tag} = snn.linear {x}, {w} : ({tensor(B, width)}, {tensor(N, width)}) -> {ROW}
    %r{tag} = snn.linear {h}, {u} : ({ROW}, {tensor(N, N)}) -> {ROW}
    %a{tag} = arith.addf %i{tag}, %r{tag} : {ROW}
    %next{tag} = math.tanh %a{tag} : {ROW}"""


BIDIRECTIONAL = Function(
    "bidirectional",
    {"x": (T, B, IN)},
    {"wf": (N, IN), "uf": (N, N), "wb": (N, IN), "ub": (N, N), "of": (C, N), "ob": (C, N)},
    f"""
  %zero = arith.constant dense<0.0> : {ROW}
  %hf, %lf = snn.scan over(%xt = %x : {SEQUENCE}) state(%h = %zero : {ROW}) -> ({STACK}), ({ROW}) {{
    {cell("%xt", "%h", "%wf", "%uf")}
    snn.yield step(%next : {ROW}) state(%next : {ROW})
  }}
  %hb, %lb = snn.scan reverse over(%xt = %x : {SEQUENCE}) state(%h = %zero : {ROW}) -> ({STACK}), ({ROW}) {{
    {cell("%xt", "%h", "%wb", "%ub")}
    snn.yield step(%next : {ROW}) state(%next : {ROW})
  }}
  %pf = snn.linear %lf, %of : ({ROW}, {tensor(C, N)}) -> {LOGITS}
  %pb = snn.linear %lb, %ob : ({ROW}, {tensor(C, N)}) -> {LOGITS}
  %logits = arith.addf %pf, %pb : {LOGITS}
  %both = snn.scan over(%a = %hf : {STACK}, %b = %hb : {STACK}) -> ({tensor(T, B, C)}), () {{
    %qf = snn.linear %a, %of : ({ROW}, {tensor(C, N)}) -> {LOGITS}
    %qb = snn.linear %b, %ob : ({ROW}, {tensor(C, N)}) -> {LOGITS}
    %q = arith.addf %qf, %qb : {LOGITS}
    snn.yield step(%q : {LOGITS})
  }}""",
    [("%logits", "logits", (B, C)), ("%both", "sequence", (T, B, C)), ("%hb", "backward", (T, B, N))],
)

# An input without time goes through a layer before the scan, is captured by it, and makes its first state.
PROLOGUE = Function(
    "prologue",
    {"x": (T, B, IN), "s": (B, M)},
    {"ws": (N, M), "bs": (N,), "wi": (N, M), "w": (N, IN), "u": (N, N), "o": (C, N)},
    f"""
  %zero = arith.constant dense<0.0> : {ROW}
  %f = snn.linear %s, %ws bias(%bs : {tensor(N)}) : ({tensor(B, M)}, {tensor(N, M)}) -> {ROW}
  %features = arith.maximumf %f, %zero : {ROW}
  %g = snn.linear %s, %wi : ({tensor(B, M)}, {tensor(N, M)}) -> {ROW}
  %start = math.tanh %g : {ROW}
  %hs, %last = snn.scan over(%xt = %x : {SEQUENCE}) state(%h = %start : {ROW}) -> ({STACK}), ({ROW}) {{
    {cell("%xt", "%h", "%w", "%u")}
    %sum = arith.addf %next, %features : {ROW}
    %k = snn.linear %s, %ws : ({tensor(B, M)}, {tensor(N, M)}) -> {ROW}
    %mixed = arith.mulf %sum, %k : {ROW}
    %state = math.tanh %mixed : {ROW}
    snn.yield step(%sum : {ROW}) state(%state : {ROW})
  }}
  %both = arith.mulf %last, %features : {ROW}
  %logits = snn.linear %both, %o : ({ROW}, {tensor(C, N)}) -> {LOGITS}
  %e = math.exp %logits : {LOGITS}""",
    [("%logits", "logits", (B, C)), ("%e", "exponentials", (B, C)), ("%hs", "states", (T, B, N))],
)


def sigmoid(value: str, result: str, *shape: int) -> str:
    """1 / (1 + exp(-value))."""
    t, tag = tensor(*shape), result[1:]
    return f"""
  %one_{tag} = arith.constant dense<1.0> : {t}
  %neg_{tag} = arith.negf {value} : {t}
  %exp_{tag} = math.exp %neg_{tag} : {t}
  %sum_{tag} = arith.addf %one_{tag}, %exp_{tag} : {t}
  {result} = arith.divf %one_{tag}, %sum_{tag} : {t}"""


# The decays of the neurons are sigmoids of one parameter for the first layer, and of one for each unit of the second.
DECAYS = Function(
    "decays",
    {"x": (T, B, IN)},
    {"w": (), "v": (C,), "fc1": (N, IN), "fc2": (C, N)},
    f"""
  {sigmoid("%w", "%decay")}
  {sigmoid("%v", "%decays", C)}
  %zero = arith.constant dense<0.0> : {ROW}
  %zeros = arith.constant dense<0.0> : {LOGITS}
  %spikes, %l1, %l2 = snn.scan over(%xt = %x : {SEQUENCE}) state(%m = %zero : {ROW}, %n = %zeros : {LOGITS})
      -> ({tensor(T, B, C)}), ({ROW}, {LOGITS}) {{
    %i = snn.linear %xt, %fc1 : ({tensor(B, IN)}, {tensor(N, IN)}) -> {ROW}
    %d = snn.broadcast %decay : tensor<f32> -> {ROW}
    %md = arith.mulf %m, %d : {ROW}
    %sum = arith.addf %md, %i : {ROW}
    %s, %m1 = snn.neuron %sum, %m {{decay = 0.0 : f32}} : {ROW}, {ROW} -> {ROW}, {ROW}
    %j = snn.linear %s, %fc2 : ({ROW}, {tensor(C, N)}) -> {LOGITS}
    %z, %n1 = snn.neuron %j, %n decay(%decays : {tensor(C)}) {{decay = 0.5 : f32}}
        : {LOGITS}, {LOGITS} -> {LOGITS}, {LOGITS}
    snn.yield step(%z : {LOGITS}) state(%m1, %n1 : {ROW}, {LOGITS})
  }}""",
    [("%spikes", "spikes", (T, B, C)), ("%l1", "last", (B, N))],
    readout="spike_count",
    binary=True,
)

# An encoder leaves a state from which a decoder without inputs starts; the decoder's outputs are read by a third scan.
DECODER = Function(
    "decoder",
    {"x": (T, B, IN)},
    {"w": (N, IN), "u": (N, N), "v": (N, N), "o": (C, N)},
    f"""
  %zero = arith.constant dense<0.0> : {ROW}
  %none = arith.constant dense<0.0> : {LOGITS}
  %code = snn.scan over(%xt = %x : {SEQUENCE}) state(%h = %zero : {ROW}) -> (), ({ROW}) {{
    {cell("%xt", "%h", "%w", "%u")}
    snn.yield state(%next : {ROW})
  }}
  %words, %end = snn.scan state(%h = %code : {ROW}) -> ({tensor(4, B, N)}), ({ROW}) attributes {{steps = 4 : i64}} {{
    {cell("%code", "%h", "%v", "%u", N)}
    snn.yield step(%next : {ROW}) state(%next : {ROW})
  }}
  %total = snn.scan reverse over(%word = %words : {tensor(4, B, N)}) state(%sum = %none : {LOGITS}) -> (), ({LOGITS}) {{
    %y = snn.linear %word, %o : ({ROW}, {tensor(C, N)}) -> {LOGITS}
    %both = arith.addf %sum, %y : {LOGITS}
    snn.yield state(%both : {LOGITS})
  }}""",
    [("%total", "logits", (B, C)), ("%words", "words", (4, B, N)), ("%end", "end", (B, N))],
)

# Spikes of one scan are inputs of another that runs backwards; a membrane of the first goes on in the second.
LAYERS = Function(
    "layers",
    {"x": (T, B, IN)},
    {"fc1": (N, IN), "fc2": (N, N), "fc3": (C, N), "bias": (C,)},
    f"""
  %zero = arith.constant dense<0.0> : {ROW}
  %s1, %m1 = snn.scan over(%xt = %x : {SEQUENCE}) state(%m = %zero : {ROW}) -> ({STACK}), ({ROW}) {{
    %i = snn.linear %xt, %fc1 : ({tensor(B, IN)}, {tensor(N, IN)}) -> {ROW}
    %s, %n = snn.neuron %i, %m {{decay = 0.75 : f32}} : {ROW}, {ROW} -> {ROW}, {ROW}
    snn.yield step(%s : {ROW}) state(%n : {ROW})
  }}
  %s2, %m2 = snn.scan reverse over(%st = %s1 : {STACK}) state(%m = %m1 : {ROW}) -> ({STACK}), ({ROW}) {{
    %i = snn.linear %st, %fc2 : ({ROW}, {tensor(N, N)}) -> {ROW}
    %s, %n = snn.neuron %i, %m {{decay = 0.5 : f32, reset_kind = #snn.reset_kind<value>}} : {ROW}, {ROW} -> {ROW}, {ROW}
    snn.yield step(%s : {ROW}) state(%n : {ROW})
  }}
  %logits = snn.linear %m2, %fc3 bias(%bias : {tensor(C)}) : ({ROW}, {tensor(C, N)}) -> {LOGITS}""",
    [("%logits", "logits", (B, C)), ("%s2", "spikes", (T, B, N))],
    binary=True,
)

# Both directions of the first layer are read by both directions of the second, and by the mean over time.
TWO_DIRECTIONS = Function(
    "two directions",
    {"x": (T, B, IN)},
    {"wf": (N, IN), "uf": (N, N), "wb": (N, IN), "ub": (N, N), "vf": (N, N), "vb": (N, N), "o": (C, N)},
    f"""
  %zero = arith.constant dense<0.0> : {ROW}
  %third = arith.constant dense<0.3> : {ROW}
  %hf:2 = snn.scan over(%xt = %x : {SEQUENCE}) state(%h = %zero : {ROW}) -> ({STACK}), ({ROW}) {{
    {cell("%xt", "%h", "%wf", "%uf")}
    snn.yield step(%next : {ROW}) state(%next : {ROW})
  }}
  %hb:2 = snn.scan reverse over(%xt = %x : {SEQUENCE}) state(%h = %zero : {ROW}) -> ({STACK}), ({ROW}) {{
    {cell("%xt", "%h", "%wb", "%ub")}
    snn.yield step(%next : {ROW}) state(%next : {ROW})
  }}
  %sum = arith.addf %hf#0, %hb#0 : {STACK}
  %f2:2 = snn.scan over(%st = %sum : {STACK}) state(%h = %zero : {ROW}) -> ({STACK}), ({ROW}) {{
    {cell("%st", "%h", "%vf", "%uf", N)}
    snn.yield step(%next : {ROW}) state(%next : {ROW})
  }}
  %b2:2 = snn.scan reverse over(%st = %sum : {STACK}, %c = %hf#0 : {STACK}) state(%h = %zero : {ROW})
      -> ({STACK}), ({ROW}) {{
    {cell("%st", "%h", "%vb", "%ub", N)}
    %both = arith.mulf %next, %c : {ROW}
    snn.yield step(%both : {ROW}) state(%next : {ROW})
  }}
  %s2 = snn.sum_time %b2#0 : {STACK} -> {ROW}
  %s1 = snn.sum_time %f2#0 : {STACK} -> {ROW}
  %total = arith.addf %s1, %s2 : {ROW}
  %mean = arith.mulf %total, %third : {ROW}
  %logits = snn.linear %mean, %o : ({ROW}, {tensor(C, N)}) -> {LOGITS}""",
    [("%logits", "logits", (B, C)), ("%sum", "sum", (T, B, N))],
)

# Spikes of one layer go to two scans.
FORK = Function(
    "fork",
    {"x": (T, B, IN)},
    {"fc1": (N, IN), "fc2": (C, N), "fc3": (C, N)},
    f"""
  %zero = arith.constant dense<0.0> : {ROW}
  %zeros = arith.constant dense<0.0> : {LOGITS}
  %s1, %m1 = snn.scan over(%xt = %x : {SEQUENCE}) state(%m = %zero : {ROW}) -> ({STACK}), ({ROW}) {{
    %i = snn.linear %xt, %fc1 : ({tensor(B, IN)}, {tensor(N, IN)}) -> {ROW}
    %s, %n = snn.neuron %i, %m {{decay = 0.75 : f32}} : {ROW}, {ROW} -> {ROW}, {ROW}
    snn.yield step(%s : {ROW}) state(%n : {ROW})
  }}
  %u = snn.scan over(%st = %s1 : {STACK}) state(%m = %zeros : {LOGITS}) -> (), ({LOGITS}) {{
    %i = snn.linear %st, %fc2 : ({ROW}, {tensor(C, N)}) -> {LOGITS}
    %n = snn.integrator %i, %m {{decay = 0.9 : f32}} : {LOGITS}, {LOGITS}
    snn.yield state(%n : {LOGITS})
  }}
  %v = snn.scan reverse over(%st = %s1 : {STACK}) state(%m = %zeros : {LOGITS}) -> (), ({LOGITS}) {{
    %i = snn.linear %st, %fc3 : ({ROW}, {tensor(C, N)}) -> {LOGITS}
    %n = snn.integrator %i, %m {{decay = 0.8 : f32}} : {LOGITS}, {LOGITS}
    snn.yield state(%n : {LOGITS})
  }}
  %logits = arith.subf %u, %v : {LOGITS}""",
    [("%logits", "logits", (B, C))],
    binary=True,
)

# States come from outside and go out; nothing is a scan.
ROWS = Function(
    "rows",
    {"x": (B, IN)},
    {"w1": (N, IN), "b1": (N,), "w2": (C, N), "scale": ()},
    f"""
  %factor = snn.broadcast %scale : tensor<f32> -> {ROW}
  %i = snn.linear %x, %w1 bias(%b1 : {tensor(N)}) : ({tensor(B, IN)}, {tensor(N, IN)}) -> {ROW}
  %h = math.tanh %i : {ROW}
  %scaled = arith.mulf %h, %factor : {ROW}
  %logits = snn.linear %scaled, %w2 : ({ROW}, {tensor(C, N)}) -> {LOGITS}""",
    [("%logits", "logits", (B, C)), ("%h", "hidden", (B, N))],
)


def pooled(value: str, channels: int, size: int) -> str:
    """Lines that make `%pool`, the maxima of 2x2 squares of an image."""
    row, whole = tensor(B, channels * (size // 2) ** 2), tensor(B, channels * size**2)
    lines = [
        f"%part{i}{j} = snn.slice {value} {{shape = {[channels, size, size]}, offsets = {[0, i, j]}, "
        f"sizes = {[channels, size // 2, size // 2]}, strides = [1, 2, 2]}} : {whole} -> {row}"
        for i in range(2)
        for j in range(2)
    ]
    lines += [
        f"%upper = arith.maximumf %part11, %part10 : {row}",
        f"%lower = arith.maximumf %upper, %part01 : {row}",
        f"%pool = arith.maximumf %lower, %part00 : {row}",
    ]
    return "\n  ".join(lines)


# An image goes through a convolution before the first step; rows side by side and a softmax come after the last.
IMAGE = Function(
    "image",
    {"x": (T, B, IN), "s": (B, 32)},
    {"k": (3, 18), "kb": (3,), "wi": (N, 12), "w": (N, IN), "u": (N, N), "o": (C, 2 * N)},
    f"""
  %m = snn.conv_matrix %k {{input = [2, 4, 4], kernel = [3, 3], padding = [1, 1, 1, 1]}}
      : {tensor(3, 18)} -> {tensor(48, 32)}
  %mb = snn.spread %kb {{inner = 16}} : {tensor(3)} -> {tensor(48)}
  %c = snn.linear %s, %m bias(%mb : {tensor(48)}) : ({tensor(B, 32)}, {tensor(48, 32)}) -> {tensor(B, 48)}
  {pooled("%c", 3, 4)}
  %g = snn.linear %pool, %wi : ({tensor(B, 12)}, {tensor(N, 12)}) -> {ROW}
  %start = math.tanh %g : {ROW}
  %hs, %last = snn.scan over(%xt = %x : {SEQUENCE}) state(%h = %start : {ROW}) -> ({STACK}), ({ROW}) {{
    {cell("%xt", "%h", "%w", "%u")}
    snn.yield step(%next : {ROW}) state(%next : {ROW})
  }}
  %both = snn.concat %last, %start : ({ROW}, {ROW}) -> {tensor(B, 2 * N)}
  %l = snn.linear %both, %o : ({tensor(B, 2 * N)}, {tensor(C, 2 * N)}) -> {LOGITS}
  %logits = snn.softmax %l {{log}} : {LOGITS}""",
    [("%logits", "logits", (B, C)), ("%pool", "pooled", (B, 12))],
)

# The sum of a batch is read twice in a step, so that its cotangent is a sum of two sums.
STATISTICS = Function(
    "statistics",
    {"x": (T, B, IN)},
    {"w": (N, IN), "g": (N,), "o": (C, N)},
    f"""
  %zero = arith.constant dense<0.0> : {tensor(N)}
  %fifth = arith.constant dense<0.2> : {ROW}
  %hs = snn.scan over(%xt = %x : {SEQUENCE}) -> ({tensor(T, B, C)}), () {{
    %h = snn.linear %xt, %w : ({tensor(B, IN)}, {tensor(N, IN)}) -> {ROW}
    %sum = snn.batch_sum %h into %zero : {ROW} -> {tensor(N)}
    %scaled = arith.mulf %sum, %g : {tensor(N)}
    %a = snn.broadcast %scaled : {tensor(N)} -> {ROW}
    %b = snn.broadcast %scaled : {tensor(N)} -> {ROW}
    %mean = arith.mulf %a, %fifth : {ROW}
    %centred = arith.subf %h, %mean : {ROW}
    %mixed = arith.mulf %centred, %b : {ROW}
    %bent = math.tanh %mixed : {ROW}
    %l = snn.linear %bent, %o : ({ROW}, {tensor(C, N)}) -> {LOGITS}
    snn.yield step(%l : {LOGITS})
  }}
  %logits = snn.sum_time %hs : {tensor(T, B, C)} -> {LOGITS}""",
    [("%logits", "logits", (B, C)), ("%hs", "steps", (T, B, C))],
)

# The first state is an input, which lies with the host and stays as it is.
GIVEN = Function(
    "given start",
    {"x": (T, B, IN), "start": (B, N)},
    {"w": (N, IN), "o": (C, N)},
    f"""
  %hs, %last = snn.scan over(%xt = %x : {SEQUENCE}) state(%h = %start : {ROW}) -> ({STACK}), ({ROW}) {{
    %i = snn.linear %xt, %w : ({tensor(B, IN)}, {tensor(N, IN)}) -> {ROW}
    %sum = arith.addf %h, %i : {ROW}
    %next = math.tanh %sum : {ROW}
    snn.yield step(%sum : {ROW}) state(%next : {ROW})
  }}
  %logits = snn.linear %last, %o : ({ROW}, {tensor(C, N)}) -> {LOGITS}""",
    [("%logits", "logits", (B, C)), ("%hs", "sums", (T, B, N)), ("%last", "end", (B, N))],
)

ALL = (STATISTICS, IMAGE, BIDIRECTIONAL, PROLOGUE, GIVEN, DECAYS, DECODER, LAYERS, TWO_DIRECTIONS, FORK, ROWS)
FUNCTIONS = {f.name: f for f in ALL}
