# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The neurons of the frameworks, written as ONNX step functions the way their exporters write them.

Run as a program, it prints the table of docs/Neurons.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import numpy as np
from onnx import TensorProto

from onnx_maker import Maker
from spikeloom.importers import load_onnx

WIDTH, FEATURES = 16, 20
Made = tuple[str, dict[str, str]]  # (spikes or readout, new value by state)


class Zoo(Maker):
    """Arithmetic in short: names of values and numbers may be mixed."""

    def _name(self, value: str | float) -> str:
        return value if isinstance(value, str) else self.number(value)

    def add(self, a, b) -> str:
        return self.node("Add", self._name(a), self._name(b))

    def sub(self, a, b) -> str:
        return self.node("Sub", self._name(a), self._name(b))

    def mul(self, a, b) -> str:
        return self.node("Mul", self._name(a), self._name(b))

    def div(self, a, b) -> str:
        return self.node("Div", self._name(a), self._name(b))

    def above(self, v, threshold=1.0, op="Greater") -> str:
        return self.fires(v, self._name(threshold), op)

    def state(self, name: str) -> str:
        return self.input(name, WIDTH)

    def recurrent(self, spikes: str, name: str = "rec") -> str:
        return self.linear(spikes, name, WIDTH, WIDTH)

    def truncated(self, v, threshold=1.0) -> str:
        """`(v > 0) * trunc(v / threshold)`."""
        ratio = v if threshold == 1.0 else self.div(v, threshold)
        whole = self.mul(self.node("Floor", self.node("Abs", ratio)), self.node("Sign", ratio))
        positive = self.node("Cast", self.node("Greater", v, self.number(0.0)), to=TensorProto.FLOAT)
        return self.mul(positive, whole)

    def hard_reset(self, v, spikes, value=0.0) -> str:
        """`(1 - s) * v + s * value`."""
        return self.add(self.mul(self.sub(1.0, spikes), v), self.mul(spikes, value))


# snnTorch


def leaky(reset: str = "subtract", delay: bool = True) -> Callable[[Zoo, str], Made]:
    def make(m: Zoo, x: str) -> Made:
        mem = m.state("mem")
        old = m.above(mem)
        base = m.add(m.mul(0.9, m.mul(m.sub(1.0, old), mem) if reset == "zero" else mem), x)
        new = m.sub(base, m.mul(old, 1.0)) if reset == "subtract" else base
        spikes = m.above(new)
        if not delay:
            new = m.sub(new, m.mul(m.sub(m.div(spikes, 1.0), old), 1.0))
        return spikes, {"mem": new}
    return make


def rleaky(m: Zoo, x: str, one_to_one: bool = False) -> Made:
    mem, spk = m.state("mem"), m.state("spk")
    old = m.above(mem)
    if one_to_one:
        weights = m.array("recurrent.V", np.linspace(-0.3, 0.3, WIDTH, dtype=np.float32))
        back = m.mul(spk, weights)
    else:
        back = m.recurrent(spk)
    new = m.sub(m.add(m.add(m.mul(mem, 0.9), x), back), m.mul(old, 1.0))
    spikes = m.above(new)
    return spikes, {"spk": spikes, "mem": new}


def synaptic(m: Zoo, x: str, recurrent: bool = False) -> Made:
    spk = m.state("spk") if recurrent else ""
    syn, mem = m.state("syn"), m.state("mem")
    old = m.above(mem)
    current = m.add(m.mul(0.8, syn), x)
    if recurrent:
        current = m.add(current, m.recurrent(spk))
    new = m.sub(m.add(m.mul(0.9, mem), current), m.mul(old, 1.0))
    spikes = m.above(new)
    return spikes, {**({"spk": spikes} if recurrent else {}), "syn": current, "mem": new}


def lapicque(m: Zoo, x: str) -> Made:
    mem = m.state("mem")
    old = m.above(mem)
    base = m.add(m.mul(m.mul(m.mul(x, 5.0), 1 / 0.6), 0.1), m.mul(1 - 0.1 / 0.6, mem))
    new = m.sub(base, m.mul(old, base))
    return m.above(new), {"mem": new}


def alpha(m: Zoo, x: str) -> Made:
    exc, inh, mem = m.state("exc"), m.state("inh"), m.state("mem")
    old = m.above(mem)
    e, h = m.add(m.mul(exc, 0.85), x), m.sub(m.mul(inh, 0.7), x)
    v = m.mul(m.add(e, h), 1.837)
    new = m.sub(v, m.mul(v, old))
    return m.above(new), {"exc": m.sub(e, m.mul(e, old)), "inh": m.sub(h, m.mul(h, old)), "mem": new}


def slstm(m: Zoo, x: str) -> Made:
    syn, mem = m.state("syn"), m.state("mem")
    gates = m.add(m.linear(x, "ih", 4 * WIDTH, WIDTH), m.linear(mem, "hh", 4 * WIDTH, WIDTH))
    sizes = m.array("sizes", np.array([WIDTH] * 4))
    names = [f"gate{i}" for i in range(4)]
    m.nodes.append(_split(gates, sizes, names))
    i, f, o = (m.node("Sigmoid", names[k]) for k in (0, 1, 3))
    cell = m.add(m.mul(f, syn), m.mul(i, m.node("Tanh", names[2])))
    new = m.mul(o, m.node("Tanh", cell))
    return m.above(new, 0.1), {"syn": cell, "mem": new}


def _split(value: str, sizes: str, names: list[str]):
    from onnx import helper

    return helper.make_node("Split", [value, sizes], names, axis=1, name="split")


# Norse


def norse_lif(m: Zoo, x: str, recurrent: bool = False) -> Made:
    z = m.state("z") if recurrent else ""
    v, i = m.state("v"), m.state("i")
    jump = m.add(m.add(i, x), m.recurrent(z)) if recurrent else m.add(i, x)
    new = m.add(v, m.mul(0.1, m.add(m.sub(0.0, v), jump)))
    spikes = m.above(new, 0.3)
    return spikes, {**({"z": spikes} if recurrent else {}), "v": m.hard_reset(new, spikes),
                    "i": m.add(jump, m.mul(-0.2, jump))}


def norse_box(m: Zoo, x: str) -> Made:
    v = m.state("v")
    new = m.add(v, m.mul(0.1, m.add(m.sub(0.05, v), x)))
    spikes = m.above(new, 0.2)
    return spikes, {"v": m.hard_reset(new, spikes, -0.1)}


def norse_iaf(m: Zoo, x: str) -> Made:
    v = m.state("v")
    new = m.add(v, x)
    spikes = m.above(new)
    return spikes, {"v": m.hard_reset(new, spikes)}


def norse_li(m: Zoo, x: str) -> Made:
    v, i = m.state("v"), m.state("i")
    jump = m.add(i, x)
    new = m.add(v, m.mul(0.1, m.add(m.sub(0.0, v), jump)))
    return new, {"v": new, "i": m.add(jump, m.mul(-0.2, jump))}


def norse_lsnn(m: Zoo, x: str) -> Made:
    v, i, b = m.state("v"), m.state("i"), m.state("b")
    new = m.add(v, m.mul(0.1, m.add(m.sub(0.0, v), i)))
    threshold = m.add(b, m.mul(0.0125, m.sub(0.3, b)))
    spikes = m.above(new, threshold)
    return spikes, {"v": m.hard_reset(new, spikes), "i": m.add(m.add(i, m.mul(-0.2, i)), x),
                    "b": m.add(threshold, m.mul(spikes, 1.8))}


def norse_adaptive_current(m: Zoo, x: str) -> Made:
    v, i, b = m.state("v"), m.state("i"), m.state("b")
    new = m.add(v, m.mul(0.1, m.add(m.sub(m.sub(0.0, v), b), i)))
    decayed = m.mul(0.99, b)
    spikes = m.above(new, 0.3)
    return spikes, {"v": m.sub(new, m.mul(spikes, 0.3)), "i": m.add(m.mul(0.8, i), x),
                    "b": m.add(decayed, m.mul(spikes, 0.1))}


def norse_refractory(m: Zoo, x: str) -> Made:
    v, i, rho = m.state("v"), m.state("i"), m.state("rho")
    jump = m.add(i, x)
    integrated = m.add(v, m.mul(0.1, m.add(m.sub(0.0, v), jump)))
    fired = m.above(integrated, 0.3)
    held = m.above(rho, 0.0)
    spikes = m.mul(m.sub(1.0, held), fired)
    new = m.add(m.mul(m.sub(1.0, held), m.hard_reset(integrated, fired)), m.mul(held, v))
    counter = m.node("Relu", m.sub(rho, held))
    return spikes, {"v": new, "i": m.add(jump, m.mul(-0.2, jump)),
                    "rho": m.add(m.mul(m.sub(1.0, spikes), counter), m.mul(spikes, 3.0))}


# SpikingJelly


def jelly(charge: str, hard: bool) -> Callable[[Zoo, str], Made]:
    def make(m: Zoo, x: str) -> Made:
        v = m.state("v")
        new = {"if": lambda: m.add(v, x), "decay": lambda: m.add(v, m.div(m.sub(x, v), 2.0)),
               "nodecay": lambda: m.add(m.sub(v, m.div(v, 2.0)), x),
               "plif": lambda: m.add(v, m.mul(m.sub(x, v), m.node("Sigmoid", m.array("w", np.float32(-0.4)))))}
        new = new[charge]()
        spikes = m.above(new, 1.0, "GreaterOrEqual")
        return spikes, {"v": m.hard_reset(new, spikes) if hard else m.sub(new, m.mul(spikes, 1.0))}
    return make


# sinabs, Rockpool, Spyx, BindsNET


def sinabs_iaf(m: Zoo, x: str) -> Made:
    v = m.state("v")
    new = m.add(v, x)
    spikes = m.truncated(new)
    return spikes, {"v": m.sub(new, m.mul(spikes, 1.0))}


def sinabs_lif(m: Zoo, x: str, single: bool = False) -> Made:
    v = m.state("v")
    new = m.add(m.mul(0.9, v), m.mul(m.sub(1.0, 0.9), x))
    spikes = m.above(new, 0.2, "GreaterOrEqual") if single else m.truncated(new, 0.05)
    after = m.sub(new, m.mul(spikes, 0.2 if single else 0.05))
    if not single:
        after = m.add(m.node("Relu", m.sub(after, -0.1)), -0.1)
    return spikes, {"v": after}


def sinabs_alif(m: Zoo, x: str) -> Made:
    v, b = m.state("v"), m.state("b")
    new = m.add(m.mul(0.9, v), m.mul(0.1, x))
    threshold = m.add(m.mul(b, 1.8), 0.1)
    spikes = m.node("Cast", m.node("GreaterOrEqual", new, threshold), to=TensorProto.FLOAT)
    return spikes, {"v": m.sub(new, m.mul(spikes, threshold)), "b": m.add(m.mul(0.95, b), m.mul(0.05, spikes))}


def rockpool(m: Zoo, x: str) -> Made:
    v, i = m.state("v"), m.state("i")
    current = m.mul(0.8, m.add(i, x))
    new = m.add(m.mul(0.9, v), current)
    spikes = m.node("Min", m.node("Relu", m.node("Floor", m.div(new, 0.5))), m.number(4.0))
    return spikes, {"v": m.sub(new, m.mul(spikes, 0.5)), "i": current}


def spyx_lif(m: Zoo, x: str) -> Made:
    v = m.state("v")
    spikes = m.above(v)
    return spikes, {"v": m.sub(m.add(m.mul(0.9, v), x), m.mul(spikes, 1.0))}


def spyx_alif(m: Zoo, x: str) -> Made:
    v, t = m.state("v"), m.state("t")
    threshold = m.add(1.0, t)
    spikes = m.above(v, threshold)
    return spikes, {"v": m.sub(m.add(m.mul(0.9, v), x), m.mul(spikes, threshold)),
                    "t": m.add(m.mul(0.95, t), m.mul(0.05, spikes))}


def bindsnet_lif(m: Zoo, x: str) -> Made:
    v, counter = m.state("v"), m.state("refrac")
    decayed = m.add(m.mul(0.9, m.sub(v, -0.1)), -0.1)
    free = m.node("Cast", m.node("LessOrEqual", counter, m.number(0.0)), to=TensorProto.FLOAT)
    new = m.add(decayed, m.mul(free, x))
    fires = m.node("GreaterOrEqual", new, m.number(0.5))
    spikes = m.node("Cast", fires, to=TensorProto.FLOAT)
    after = m.node("Where", fires, m.number(-0.2), new)
    following = m.node("Where", fires, m.number(3.0), m.sub(counter, 1.0))
    return spikes, {"v": m.node("Max", after, m.number(-0.3)), "refrac": following}


def delayed_synapse(m: Zoo, x: str) -> Made:
    """Currents that arrive two steps later."""
    first, second, mem = m.state("d0"), m.state("d1"), m.state("mem")
    old = m.above(mem)
    new = m.sub(m.add(m.mul(0.9, mem), second), m.mul(old, 1.0))
    return m.above(new), {"d0": x, "d1": first, "mem": new}


ZOO: dict[str, Callable[[Zoo, str], Made]] = {
    "snnTorch Leaky": leaky(), "snnTorch Leaky, reset zero": leaky("zero"), "snnTorch Leaky, reset none": leaky("none"),
    "snnTorch Leaky, reset_delay=False": leaky(delay=False),
    "snnTorch RLeaky": rleaky, "snnTorch RLeaky, one to one": lambda m, x: rleaky(m, x, True),
    "snnTorch Synaptic": synaptic, "snnTorch RSynaptic": lambda m, x: synaptic(m, x, True),
    "snnTorch Lapicque": lapicque, "snnTorch Alpha": alpha, "snnTorch SLSTM": slstm,
    "Norse LIF": norse_lif, "Norse LIF, recurrent": lambda m, x: norse_lif(m, x, True), "Norse LIFBox": norse_box,
    "Norse IAF": norse_iaf, "Norse LI": norse_li, "Norse LSNN": norse_lsnn, "Norse AdaLIF": norse_adaptive_current,
    "Norse LIFRefrac": norse_refractory,
    "SpikingJelly IF": jelly("if", True), "SpikingJelly IF, soft reset": jelly("if", False),
    "SpikingJelly LIF": jelly("decay", True), "SpikingJelly LIF, decay_input=False": jelly("nodecay", True),
    "SpikingJelly ParametricLIF": jelly("plif", True),
    "sinabs IAF": sinabs_iaf, "sinabs LIF, min_v_mem": sinabs_lif,
    "sinabs LIF, single spike": lambda m, x: sinabs_lif(m, x, True), "sinabs ALIF": sinabs_alif,
    "Rockpool LIFTorch, capped": rockpool, "Spyx LIF": spyx_lif, "Spyx ALIF": spyx_alif,
    "BindsNET LIFNodes": bindsnet_lif, "any, synaptic delay of two steps": delayed_synapse,
}


def save(name: str, path: Path) -> str:
    """A layer of such neurons behind weights."""
    m = Zoo(seed=3)
    result, states = ZOO[name](m, m.linear(m.input("x", FEATURES), "fc", WIDTH, FEATURES))
    m.inputs.sort(key=lambda i: i.name != "x")
    m.output(result, "y", WIDTH)
    for state, value in states.items():
        m.output(value, f"{state}_out", WIDTH)
    return m.save(path)


def describe(model) -> tuple[str, str]:
    """Operations with their attributes, and what stays arithmetic."""
    found, left = [], Counter()
    for op in model.step.ops:
        if op.kind in ("neuron", "integrator", "count"):
            attrs = [f"{k} = {v:.4g}" if isinstance(v, (int, float)) else f"{k} = {v}" for k, v in op.attrs.items()
                     if v not in ("integrate_fire",) and (k, v) != ("max_spikes", 0)]
            attrs += [f"{role}: parameter" for role in op.params]
            found.append(f"`{op.kind}` {', '.join(attrs)}".strip())
        elif op.kind == "cmp" and op.attrs["pred"] in ("ogt", "oge", "ugt", "uge"):
            found.append(f"`spike` cmp = {op.attrs['pred'][1:]}")
        elif op.kind not in ("const", "broadcast", "linear", "tofloat"):
            left[op.kind] += 1
    return "; ".join(found), ", ".join(f"{n} {kind}" for kind, n in left.items()) or "–"


def table() -> str:
    """The table of docs/Neurons.md."""
    lines = ["| neuron | operations and attributes | stays arithmetic |", "| --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        for name in ZOO:
            found, left = describe(load_onnx(save(name, Path(folder) / "n.onnx")))
            lines.append(f"| {name} | {found} | {left} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
