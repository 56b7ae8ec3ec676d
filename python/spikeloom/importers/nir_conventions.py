# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What platforms make of the differential equations of NIR: one table, and the numbers of a neuron under a row of it.

NIR has continuous time. Every platform chooses a time step and a rule, and the rules differ: the same file fires at
other steps. So the rule is the user's choice (`--nir-convention`), and a file with parameters that the chosen
platform does not honour is refused by the name of the parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .problems import ProblemList

if TYPE_CHECKING:
    from .nir_graph import Graph, Node

DEFAULT_DT = 1e-4  # seconds; what the platforms were compared at, and what snnTorch always writes


@dataclass(frozen=True)
class Convention:
    """A rule for one time step; `decay` and `gain` say how time constants become factors of it.

    - euler: decay `1 - dt/tau`, gain `dt/tau`
    - exponential: decay `exp(-dt/tau)`, gain `1 - exp(-dt/tau)` (exact for an input that is constant over the step)
    - rockpool (gain): `dt/tau * exp(dt/tau)`, what undoes Rockpool's own way of writing resistances
    """

    name: str
    summary: str
    decay: str = "euler"
    gain: str = "euler"
    order: str = "integrate_fire"
    reset: str = "value"
    cmp: str = "gt"
    multi_spike: bool = False  # a membrane of n thresholds fires n spikes
    delta: bool = False  # v + dt/tau * ((leak + r x) - v), which rounds otherwise than decay * v + gain * x
    crossing: bool = False  # the membrane goes on from the reset value after the crossing inside the step
    units: str = "file"  # "gain": membranes are divided by the gain, "threshold": by the threshold
    jump_before_decay: bool = False  # a synapse decays what just came in, too
    weight_delay: bool = False  # what goes through weights arrives one step later
    if_decay: float = 1.0
    if_reset: str = ""
    if_per_step: bool = False  # I and IF count in steps: r is the gain of a step, dt plays no part
    fixed: tuple[tuple[str, str, float | str], ...] = ()  # (kind, parameter, what alone is honoured: see _ALLOWED)
    unknown: tuple[str, ...] = ()  # kinds of neurons whose parameters the platform writes in a way nobody stated


# Values that a platform takes a parameter to have, by their description: alternatives for (node, dt).
_ALLOWED = {
    "tau_mem/dt": lambda node, dt: [node.tau_mem / dt],
    "tau_syn/dt": lambda node, dt: [node.tau_syn / dt],
    "1 or tau/dt": lambda node, dt: [np.ones_like(node.tau), node.tau / dt],
    "1/dt": lambda node, dt: [np.full_like(node.r, 1 / dt, np.float64)],
    "as v_reset": lambda node, dt: [node.v_reset],
}
_ZERO_REST = tuple((kind, name, 0.0) for kind in ("LIF", "CubaLIF") for name in ("v_leak", "v_reset"))
_ZERO_IF = (("IF", "v_reset", 0.0),)

CONVENTIONS = {c.name: c for c in (
    Convention("auto", "euler; I and IF nodes whose resistance is 1 everywhere count in steps, with a warning"),
    Convention("euler", "the equations of NIR by forward Euler, reset to v_reset"),
    Convention("exponential", "the equations of NIR, exact for inputs that are constant over a step",
               "exponential", "exponential"),
    Convention("exact", "exponential, and after a spike the membrane goes on from v_reset inside the step",
               "exponential", "exponential", crossing=True),
    Convention("norse", "forward Euler as v + dt/tau * ((leak + x) - v)", delta=True, if_per_step=True,
               fixed=(("LIF", "r", 1.0), ("LIF", "v_reset", 0.0), ("IF", "r", 1.0), ("IF", "v_reset", 0.0),
                      ("CubaLIF", "v_leak", 0.0), ("CubaLIF", "v_reset", 0.0))),
    Convention("snntorch", "forward Euler, membranes in units of the gain; IF becomes Leaky(beta=0.9), reset by "
               "subtraction", units="gain", if_per_step=True, if_decay=0.9, if_reset="subtract",
               fixed=(*_ZERO_REST, *_ZERO_IF, ("IF", "r", 1.0), ("CubaLIF", "r", "tau_mem/dt"))),
    Convention("spikingjelly", "forward Euler, fires at the threshold", cmp="ge",
               fixed=(("IF", "r", "1/dt"), ("LIF", "r", "1 or tau/dt"), ("LIF", "v_leak", "as v_reset"),
                      ("CubaLIF", "r", "tau_mem/dt"), ("CubaLIF", "w_in", "tau_syn/dt"), ("CubaLIF", "v_leak", 0.0))),
    Convention("spinnaker2", "forward Euler, membranes in units of the gain", units="gain",
               fixed=_ZERO_REST + _ZERO_IF),
    Convention("spyx", "forward Euler; fires by the membrane of the step before, reset by subtraction",
               order="fire_integrate", reset="subtract", if_per_step=True, fixed=_ZERO_REST + _ZERO_IF),
    Convention("lava", "forward Euler; what goes through weights arrives one step later", weight_delay=True,
               fixed=_ZERO_REST + _ZERO_IF),
    Convention("sinabs", "exponential decay, gain dt/tau, many spikes a step, reset by subtraction", "exponential",
               reset="subtract", cmp="ge", multi_spike=True, jump_before_decay=True, if_per_step=True,
               fixed=_ZERO_REST + _ZERO_IF),
    Convention("rockpool", "as sinabs, with the gain that Rockpool's resistances are written for", "exponential",
               "rockpool", reset="subtract", cmp="ge", multi_spike=True, jump_before_decay=True, if_per_step=True,
               fixed=_ZERO_REST + _ZERO_IF, unknown=("CubaLI", "CubaLIF")),
    Convention("nengo", "exponential, membranes in units of the threshold", "exponential", "exponential",
               units="threshold", fixed=_ZERO_REST + _ZERO_IF),
)}


@dataclass(frozen=True)
class NirOptions:
    """What NIR leaves open: `dt` in seconds or `"metadata"`, the convention, `reset` (`value` or `subtract`)."""

    dt: float | str | None = None
    convention: str = "auto"
    reset: str | None = None


@dataclass(frozen=True)
class Rule:
    """A convention with a time step, ready to be applied."""

    convention: Convention
    dt: float


@dataclass
class Constants:
    """A neuron of N units, each number an array `[N]` of float64: `v' = decay v + gain x + (1 - decay) leak`.

    `gain` is `part * r`: what the time step makes of the time constant, and what the file says.
    """

    decay: np.ndarray
    gain: np.ndarray
    part: np.ndarray
    r: np.ndarray
    leak: np.ndarray
    threshold: np.ndarray
    v_reset: np.ndarray
    synapse_decay: np.ndarray | None = None
    synapse_gain: np.ndarray | None = None
    synapse_part: np.ndarray | None = None
    w_in: np.ndarray | None = None


def choose_rule(options: NirOptions, graph: Graph, problems: ProblemList) -> Rule | None:
    """The rule for a file; says what was chosen, and refuses parameters that the platform does not honour."""
    dt = _time_step(options.dt, graph, problems)
    convention = CONVENTIONS.get(options.convention)
    if convention is None:
        problems.error(f"--nir-convention={options.convention}: it is one of {', '.join(CONVENTIONS)}")
    if options.reset not in (None, "value", "subtract"):
        problems.error(f"--nir-reset={options.reset}: it is 'value' or 'subtract'")
    if convention is None or dt is None:
        return None
    if options.reset:
        convention = replace(convention, reset=options.reset, if_reset="")
    if convention.name == "auto":
        convention = _resolved(convention, graph, problems)
    rule = Rule(convention, dt)
    origin = " (default)" if options.dt is None else " (metadata)" if options.dt == "metadata" else ""
    problems.note(f"NIR does not say how time passes: time step {dt:g} s{origin}, convention '{convention.name}' "
                  f"({convention.summary}), reset {_reset_text(convention)}")
    if options.dt is None:
        _warn_of_steps(graph, problems)
    for node in graph.nodes.values():
        _check_honoured(node, rule, problems)
    return rule


def _warn_of_steps(graph: Graph, problems: ProblemList) -> None:
    """Time constants of seconds are rare; some writers count them in time steps."""
    least = [(float(np.min(getattr(node.node, name))), node) for node in graph.nodes.values()
             for name in ("tau", "tau_syn", "tau_mem") if np.size(getattr(node.node, name, ()))]
    if least and min(tau for tau, _ in least) >= 1:
        tau, node = min(least, key=lambda pair: pair[0])
        problems.warn(f"the shortest time constant of the file is {tau:.6g} s: Sinabs and Spyx write time constants in "
                      "time steps; if this file has such, say --nir-dt=1", node.source)


def _reset_text(convention: Convention) -> str:
    return "to v_reset" if convention.reset == "value" else "by subtraction"


def _resolved(convention: Convention, graph: Graph, problems: ProblemList) -> Convention:
    integrators = [n for n in graph.nodes.values() if n.kind in ("I", "IF")]
    if not integrators or not all(np.all(np.asarray(n.node.r) == 1) for n in integrators):
        return convention
    problems.warn("I and IF have resistance 1 everywhere: they are taken to count in steps (v + x), as Norse, "
                  "Rockpool, Sinabs and Spyx do, with reset to v_reset. Say --nir-convention=sinabs for many spikes a "
                  "step and reset by subtraction, or --nir-convention=euler for seconds", integrators[0].source)
    return replace(convention, if_per_step=True)


def _time_step(wanted: float | str | None, graph: Graph, problems: ProblemList) -> float | None:
    if wanted is None:
        return DEFAULT_DT
    if wanted != "metadata":
        try:
            dt = float(wanted)
        except ValueError:
            dt = 0.0
        if not (np.isfinite(dt) and dt > 0):
            problems.error(f"--nir-dt={wanted}: it is a positive number of seconds, or 'metadata'")
            return None
        return dt
    found = {}
    for path, metadata in graph.metadata:
        if "dt" in metadata:
            try:
                found.setdefault(float(metadata["dt"]), path or "the graph")
            except (TypeError, ValueError):
                problems.error(f"--nir-dt=metadata: the dt of {path or 'the graph'} is no number: {metadata['dt']!r}")
                return None
    if len(found) == 1 and next(iter(found)) > 0:
        return next(iter(found))
    listed = ", ".join(f"{dt:g} ({path})" for dt, path in found.items())
    problems.error("--nir-dt=metadata: " + (f"the metadata have the time steps {listed}" if found else
                   "no node and no graph has a 'dt' in its metadata") + "; say --nir-dt=SECONDS")
    return None


def _check_honoured(node: Node, rule: Rule, problems: ProblemList) -> None:
    convention = rule.convention
    if node.kind in convention.unknown:
        problems.error(f"what {convention.name} makes of the resistances of a {node.kind} is not known; take "
                       "--nir-convention=exponential", node.source)
    for kind, name, wanted in convention.fixed:
        if node.kind != kind:
            continue
        found = np.asarray(getattr(node.node, name), np.float64)
        allowed = _ALLOWED[wanted](node.node, rule.dt) if isinstance(wanted, str) else [np.full(found.shape, wanted)]
        bad = np.all([~np.isclose(found, a, rtol=1e-5) for a in allowed], axis=0)
        if bad.any():
            where = int(np.argmax(bad))
            numbers = " or ".join(f"{np.asarray(a).flat[where]:.6g}" for a in allowed)
            meaning = f" ({wanted})" if isinstance(wanted, str) else ""
            problems.error(f"'{name}' is {found.flat[where]:.6g} (unit {where}); {convention.name} only honours "
                           f"{numbers}{meaning}; take --nir-convention=euler or exponential", node.source)
    if node.kind in ("LIF", "CubaLIF", "IF") and _reset_of(node, convention) == "subtract" \
            and np.any(np.asarray(node.node.v_reset) != 0):
        problems.error("'v_reset' is not 0, but reset is by subtraction, which does not reset to a value; take "
                       "--nir-reset=value", node.source)
    if convention.decay != "euler":
        return
    for name in ("tau", "tau_syn", "tau_mem"):
        least = np.min(getattr(node.node, name)) if hasattr(node.node, name) else np.inf
        if least < rule.dt:
            problems.warn(f"'{name}' is {least:.6g} s, shorter than the time step {rule.dt:g} s: forward Euler "
                          f"overshoots{' and grows without bound' if least < rule.dt / 2 else ''}; take a smaller "
                          "--nir-dt, or --nir-convention=exponential", node.source)


def _reset_of(node: Node, convention: Convention) -> str:
    return convention.if_reset if node.kind == "IF" and convention.if_reset else convention.reset


def reset_of(node: Node, rule: Rule) -> str:
    """`value` or `subtract` for a node that fires."""
    return _reset_of(node, rule.convention)


def constants_of(node: Node, rule: Rule) -> Constants:
    """The numbers of a neuron, one for each unit, rounded nowhere yet."""
    convention, inner = rule.convention, node.node

    def array(name: str, default: float = 0.0) -> np.ndarray:
        value = np.asarray(getattr(inner, name, default), np.float64)
        return np.array(np.broadcast_to(value.ravel() if value.ndim else value, (node.width,)))

    threshold, v_reset, r = array("v_threshold"), array("v_reset"), array("r", 1.0)
    if node.kind in ("I", "IF"):
        decay = np.full(node.width, convention.if_decay if node.kind == "IF" else 1.0)
        part = np.full(node.width, 1.0 if convention.if_per_step else rule.dt)
        leak = np.zeros(node.width)
    else:
        decay, part = _factors(array("tau_mem" if node.kind.startswith("Cuba") else "tau"), rule)
        leak = array("v_leak")
    found = Constants(decay, part * r, part, r, leak, threshold, v_reset)
    if node.kind.startswith("Cuba"):
        found.w_in = array("w_in", 1.0)
        found.synapse_decay, found.synapse_part = _factors(array("tau_syn"), rule)
        found.synapse_gain = found.synapse_part * found.w_in
        if convention.jump_before_decay:
            found.synapse_gain = found.synapse_gain * found.synapse_decay
    if node.kind in ("IF", "LIF", "CubaLIF"):
        _change_units(found, convention)
    return found


def _factors(tau: np.ndarray, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    part = rule.dt / tau
    decay = 1 - part if rule.convention.decay == "euler" else np.exp(-part)
    gain = {"euler": part, "exponential": -np.expm1(-part), "rockpool": part * np.exp(part)}[rule.convention.gain]
    return decay, gain


def _change_units(c: Constants, convention: Convention) -> None:
    """Divides the membrane by its gain or threshold; spikes stay the same, rounding becomes the platform's."""
    unit = c.threshold if convention.units == "threshold" else c.gain
    if convention.units == "gain" and c.synapse_gain is not None:
        unit = unit * c.synapse_gain
    if convention.units == "file" or not np.all(unit > 0):
        return
    if convention.units == "gain":
        c.gain, c.synapse_gain = np.ones_like(unit), None if c.synapse_gain is None else np.ones_like(unit)
    else:
        c.gain = c.gain / unit
    c.threshold, c.v_reset, c.leak = c.threshold / unit, c.v_reset / unit, c.leak / unit
