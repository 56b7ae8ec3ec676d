# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small networks whose layers, batches and tiles leave remainders: the siblings of the large training step."""

from __future__ import annotations

from functools import partial

from engines import Lists, Sibling

from spiking_models import Layer, Net, Update

# Lists of 5 % of the neurons and of 10 inputs.
NARROW = Lists(activity=0.05, near=0.9, inputs=10)

# Networks of few steps, and of lists.
small = partial(Net, inputs=15, steps=9, batch=3, slope=5.0)
listed = partial(Net, inputs=40, steps=12, batch=3, slope=5.0)


def lif(*units: int, **options) -> list[Layer]:
    return [Layer(n, **options) for n in units]


# Full lists: every neuron gets its surrogate gradient.
DENSE = {
    "one layer": Sibling(Net(lif(7), steps=5, batch=3, seed=40)),
    "two layers": Sibling(Net(lif(37, 6), inputs=19, steps=12, batch=5, slope=10.0, seed=41)),
    "four layers, sgd": Sibling(
        Net(lif(45, 33, 21, 6), inputs=30, steps=15, batch=3, slope=5.0, seed=42), update=Update("sgd")
    ),
    "biases, delayed reset to a value": Sibling(
        Net(
            lif(41, 5, bias=True, reset_time="delayed", reset_kind="value"),
            inputs=23,
            steps=12,
            batch=7,
            surrogate="atan",
            slope=2.0,
            seed=43,
        )
    ),
    "recurrent": Sibling(Net([Layer(29, recurrent=True), Layer(5)], inputs=17, steps=9, batch=3, slope=5.0, seed=44)),
    "masked weights, recurrent": Sibling(
        Net(
            [Layer(45, recurrent=True, density=0.2), Layer(21, density=0.3), Layer(6)],
            inputs=30,
            steps=9,
            batch=3,
            seed=50,
        )
    ),
    "recurrent one to one, sgd": Sibling(
        Net(
            [Layer(26, recurrent=True, one_to_one=True, reset_time="delayed"), Layer(5)],
            inputs=17,
            steps=9,
            batch=3,
            slope=5.0,
            seed=45,
        ),
        update=Update("sgd"),
    ),
    "recurrent output": Sibling(
        Net([Layer(19), Layer(5, recurrent=True)], inputs=13, steps=8, batch=4, slope=5.0, seed=46)
    ),
    "fire first, ge": Sibling(
        Net(lif(31, 6, order="fire_integrate", cmp="ge"), inputs=15, steps=10, batch=2, slope=5.0, seed=47)
    ),
    "through the reset": Sibling(
        Net(lif(23, 6), inputs=15, steps=10, batch=3, slope=10.0, detach=False, surrogate="superspike", seed=48)
    ),
    "learnable decay": Sibling(Net(lif(22, 5, learn_decay=True), inputs=15, steps=10, batch=3, slope=5.0, seed=49)),
}

# What a step minimises, and how.
TRAINED = {
    "mean of membranes, momentum": Sibling(
        small(lif(21, 6), readout="membrane_mean", seed=60), update=Update("sgd", momentum=0.9)
    ),
    "largest membranes, nesterov, decay": Sibling(
        Net(lif(21, 6), inputs=15, steps=9, batch=4, slope=5.0, readout="membrane_max", seed=61),
        update=Update("sgd", momentum=0.5, nesterov=True, weight_decay=0.125),
    ),
    "last membranes, adamw": Sibling(
        small(lif(21, 6, bias=True), readout="membrane_last", seed=62), update=Update("adamw", weight_decay=0.25)
    ),
    "each membrane, adam with decay, clipped by norm": Sibling(
        Net(lif(43, 6, bias=True), inputs=15, steps=9, batch=7, slope=5.0, readout="membrane_each", seed=63),
        update=Update("adam", weight_decay=0.25, clip="norm:0.01"),
    ),
    "rates, clipped by value": Sibling(
        small(lif(21, 6), readout="spike_rate", seed=64), update=Update("sgd", clip="value:0.001")
    ),
    "squared error of counts": Sibling(small(lif(21, 6), loss="mse_count", targets=(0.8, 0.1), seed=65)),
    "squared error of every membrane, learnable decay": Sibling(
        small(lif(21, 6, learn_decay=True), loss="mse", readout="membrane_each", targets=(2.0, -0.5), seed=66),
        update=Update(clip="norm:1.0"),
    ),
    "thresholds and decays, through the reset": Sibling(
        small(lif(21, 6, learn_threshold=True, learn_decay=True), detach=False, seed=67),
        update=Update("sgd", clip="norm:1.0"),
    ),
    "thresholds, delayed, value, through the reset": Sibling(
        small(
            lif(21, 6, learn_threshold=True, reset_time="delayed", reset_kind="value", v_reset=0.25),
            detach=False,
            seed=68,
        )
    ),
    "whole update, through the reset": Sibling(
        small(
            lif(21, 6, reset_time="delayed", reset_kind="value", reset_scope="whole_update", v_reset=0.25),
            detach=False,
            seed=69,
        )
    ),
    "fire first, whole update, through the reset": Sibling(
        small(
            lif(21, 6, order="fire_integrate", reset_kind="value", reset_scope="whole_update", v_reset=0.25),
            detach=False,
            seed=70,
        )
    ),
    "one learnable decay and threshold for all": Sibling(
        small(lif(21, 6, learn_decay=True, learn_threshold=True, scalar=True), seed=77), update=Update(clip="norm:0.5")
    ),
    "sigmoid of learnable numbers": Sibling(small(lif(21, 6, learn_decay=True, sigmoid=True), seed=79)),
    "sigmoid of one learnable number": Sibling(small(lif(21, 6, learn_decay=True, sigmoid=True, scalar=True), seed=80)),
    "truncated": Sibling(
        Net(lif(21, 17, 6), inputs=15, steps=11, batch=3, slope=5.0, truncate=4, seed=71), update=Update("sgd")
    ),
    "truncated, recurrent": Sibling(
        Net([Layer(21, recurrent=True), Layer(6)], inputs=15, steps=11, batch=3, slope=5.0, truncate=4, seed=72)
    ),
    **{
        f"surrogate {kind}": Sibling(
            Net(lif(11, 6), inputs=15, steps=5, batch=3, surrogate=kind, parameters=parameters, seed=73)
        )
        for kind, parameters in [
            ("leaky", (0.1, 1.0)),
            ("heavi_circ", (0.5,)),
            ("q_pseudo_spike", (2.0,)),
            ("periodic_exponential", (0.5, 1.0)),
            ("multi_gaussian", (0.5, 0.15, 6.0, 1.0)),
        ]
    },
}

# Lists that overflow, and a second threshold.
SPARSE = {
    "lists": Sibling(
        Net(lif(80, 7), inputs=40, steps=12, batch=5, surrogate="superspike", slope=10.0, seed=50), NARROW
    ),
    "lists, four layers": Sibling(Net(lif(90, 61, 43, 10), inputs=40, steps=50, batch=3, slope=10.0, seed=51), NARROW),
    "lists, recurrent": Sibling(listed([Layer(60, recurrent=True), Layer(6)], seed=52), NARROW),
    "lists, recurrent one to one": Sibling(
        listed([Layer(61, recurrent=True, one_to_one=True), Layer(6)], seed=53), NARROW, update=Update("sgd")
    ),
    "lists, reset to a value": Sibling(listed(lif(81, 6, reset_kind="value", bias=True), seed=54), NARROW),
    "lists, through the delayed reset": Sibling(
        listed(lif(80, 45, 6, reset_time="delayed"), detach=False, seed=55), NARROW
    ),
    "lists, rotating": Sibling(
        Net(lif(80, 45, 6), inputs=40, steps=12, batch=7, slope=5.0, seed=56), NARROW, more=("--rotate",)
    ),
    "lists, rotating, recurrent": Sibling(
        listed([Layer(60, recurrent=True), Layer(6)], seed=57), NARROW, more=("--rotate",)
    ),
    "lists, penalties": Sibling(
        listed(lif(80, 45, 6), overflow_penalty=100.0, rate_penalty=(0.5, 0.02), seed=58), NARROW
    ),
    "lists, thresholds": Sibling(listed(lif(80, 6, learn_threshold=True), seed=59), NARROW),
    "lists, fire first, whole update, through the reset": Sibling(
        listed(
            lif(80, 6, order="fire_integrate", reset_kind="value", reset_scope="whole_update", v_reset=0.25),
            detach=False,
            seed=75,
        ),
        NARROW,
    ),
    "lists, truncated, recurrent": Sibling(listed([Layer(60, recurrent=True), Layer(6)], truncate=5, seed=76), NARROW),
}

SIBLINGS = {**DENSE, **TRAINED, **SPARSE}
