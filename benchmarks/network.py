"""Feed-forward LIF networks as snn modules, for the benchmarks: 2312-1466-1466-10 and relatives."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def lif_network(
    sizes: Sequence[int], batch: int, steps: int, decay: float = 0.95, *, hidden_outputs: bool = False
) -> str:
    """The text of a model: input `x` [T, B, N0], weights `fc<l>.weight` [N(l), N(l-1)], output `spk` [T, B, N].

    With `hidden_outputs` the spikes of hidden layer l are a further output `spk<l>`.
    """
    layers = list(itertools.pairwise(sizes))
    arguments = [f'%x: tensor<{steps}x{batch}x{sizes[0]}xf32> {{snn.name = "x", snn.kind = #snn.kind<input>}}']
    for number, (inputs, units) in enumerate(layers, 1):
        arguments.append(
            f'%w{number}: tensor<{units}x{inputs}xf32> {{snn.name = "fc{number}.weight", '
            "snn.kind = #snn.kind<parameter>, snn.trainable}"
        )
    for number, (_, units) in enumerate(layers, 1):
        arguments.append(
            f'%u{number}: tensor<{batch}x{units}xf32> {{snn.name = "mem{number}", snn.kind = #snn.kind<state>}}'
        )

    def row(units: int) -> str:
        return f"tensor<{batch}x{units}xf32>"

    states = ", ".join(f"%v{n} = %u{n} : {row(units)}" for n, (_, units) in enumerate(layers, 1))
    state_types = ", ".join(row(units) for _, units in layers)
    body, value = [], "%xt"
    for number, (inputs, units) in enumerate(layers, 1):
        body.append(
            f"%i{number} = snn.linear {value}, %w{number} : "
            f"({row(inputs)}, tensor<{units}x{inputs}xf32>) -> {row(units)}"
        )
        body.append(
            f"%s{number}, %n{number} = snn.neuron %i{number}, %v{number} {{decay = {decay} : f32, "
            f"reset_time = #snn.reset_time<delayed>}} : {row(units)}, {row(units)} -> {row(units)}, {row(units)}"
        )
        value = f"%s{number}"
    # The last layer's spikes are the first output.
    spikes = [(len(layers), "spk")]
    if hidden_outputs:
        spikes += [(number, f"spk{number}") for number in range(1, len(layers))]
    stacked = {name: f"tensor<{steps}x{batch}x{sizes[number]}xf32>" for number, name in spikes}
    names, types = ", ".join(f"%{name}" for name in stacked), ", ".join(stacked.values())
    rows = ", ".join(row(sizes[number]) for number, _ in spikes)
    results = ", ".join(f'{kind} {{snn.name = "{name}"}}' for name, kind in stacked.items())
    finals = ", ".join(f"%f{n}" for n in range(1, len(layers) + 1))
    next_states = ", ".join(f"%n{n}" for n in range(1, len(layers) + 1))
    fired = ", ".join(f"%s{number}" for number, _ in spikes)
    return "\n".join(
        [
            "func.func @main(",
            "    " + ",\n    ".join(arguments) + ")",
            f"    -> ({results}) {{",
            f"  {names}, {finals} = snn.scan over(%xt = %x : tensor<{steps}x{batch}x{sizes[0]}xf32>) state({states})",
            f"      -> ({types}), ({state_types}) {{",
            *("    " + line for line in body),
            f"    snn.yield step({fired} : {rows}) state({next_states} : {state_types})",
            "  }",
            f"  return {names} : {types}",
            "}",
            "",
        ]
    )


def tanh_network(inputs: int, units: int, classes: int, batch: int, steps: int) -> str:
    """One recurrent layer ``h' = tanh(W x + U h)`` and a linear readout of its last state, as MLIR text."""
    row, logits = f"tensor<{batch}x{units}xf32>", f"tensor<{batch}x{classes}xf32>"
    x, weights = f"tensor<{batch}x{inputs}xf32>", f"tensor<{units}x{inputs}xf32>"
    recurrent, readout = f"tensor<{units}x{units}xf32>", f"tensor<{classes}x{units}xf32>"
    parameter = "snn.kind = #snn.kind<parameter>, snn.trainable, snn.name ="
    return f"""func.func @main(%x: tensor<{steps}x{batch}x{inputs}xf32> {{snn.kind = #snn.kind<input>, snn.name = "x"}},
    %w: {weights} {{{parameter} "in.weight"}}, %u: {recurrent} {{{parameter} "rec.weight"}},
    %o: {readout} {{{parameter} "out.weight"}}) -> ({logits} {{snn.name = "y"}}) {{
  %zero = arith.constant dense<0.0> : {row}
  %last = snn.scan over(%xt = %x : tensor<{steps}x{batch}x{inputs}xf32>) state(%h = %zero : {row}) -> (), ({row}) {{
    %i = snn.linear %xt, %w : ({x}, {weights}) -> {row}
    %r = snn.linear %h, %u : ({row}, {recurrent}) -> {row}
    %a = arith.addf %r, %i : {row}
    %n = math.tanh %a : {row}
    snn.yield state(%n : {row})
  }}
  %y = snn.linear %last, %o : ({row}, {readout}) -> {logits}
  return %y : {logits}
}}
"""
