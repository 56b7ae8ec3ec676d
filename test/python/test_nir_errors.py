# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad NIR input: each with its message, all problems at once, and no other exception."""

import json
import sys
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

import spikeloom as sl
from nir_maker import chain, lif, write
from spikeloom.cli import main as cli
from spikeloom.importers import ImportFailed, NirOptions, load_model, load_nir
from spikeloom.importers.__main__ import main

DATA = Path(__file__).parent / "data" / "nir"
ONE = np.ones(2)


def errors(path, **options) -> list[str]:
    with pytest.raises(ImportFailed) as caught:
        load_nir(path, **options)
    return [str(p) for p in caught.value.problems if p.severity == "error"]


def warnings(path, **options) -> list[str]:
    return [str(p) for p in load_nir(path, **options).problems if p.severity == "warning"]


def test_malformed_sub_graph_names_every_edge(capsys):
    path = DATA / "braille_noDelay_bias_zero_subgraph.nir"
    found = errors(path)
    edges = [("input", "lif"), ("lif", "lin"), ("lin", "lif"), ("lif", "output")]
    assert len(found) == 4
    for text, edge in zip(found, edges, strict=True):
        assert text.startswith(f"error: edge {edge!r} of sub-graph 'lif1': there is no node 'lif' in sub-graph 'lif1'")
        assert "(is 'lif1' meant?); its nodes are input, lif1, lin, output" in text
    assert cli(["check", str(path)]) == 1
    assert "edge ('lif', 'lin')" in capsys.readouterr().out
    assert main([str(path), "--check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["imported"] is False


def test_shape_that_only_differs_in_dimensions_is_a_warning():
    assert "gives [1], 'output' takes [1, 1, 1]" in warnings(DATA / "lif_rockpool.nir")[0]


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.9])
def test_cut_short(tmp_path, keep):
    data = (DATA / "lif_norse.nir").read_bytes()
    path = tmp_path / "cut.nir"
    path.write_bytes(data[:int(len(data) * keep)])
    assert "not a readable NIR file" in errors(path)[0]


def test_other_files(tmp_path):
    assert errors(tmp_path / "none.nir") == ["error: the file does not exist"]
    assert "directory" in errors(tmp_path)[0]
    text = tmp_path / "text.nir"
    text.write_text("hello")
    assert "not a readable NIR file" in errors(text)[0]
    text.write_bytes(b"")
    assert "(0 bytes)" in errors(text)[0]
    with h5py.File(tmp_path / "empty.nir", "w"):
        pass
    assert "no group 'node'" in errors(tmp_path / "empty.nir")[0]
    data = nir.NIRGraphData({"a": nir.NIRNodeData({"v": nir.TimeGriddedData(np.zeros((1, 2, 1)), 1e-3)})})
    nir.write_data(tmp_path / "data.nir", data)
    assert "recordings" in errors(tmp_path / "data.nir")[0]


@pytest.mark.parametrize("version", ["2.0", "17.3.1", "new"])
def test_foreign_version(tmp_path, version):
    path = chain(tmp_path / "n.nir", [2], nir.Scale(ONE), version=version)
    assert errors(path) == [f"error: the file is of NIR version '{version}'; versions 0.x and 1.x are read. Write it "
                            "with a nir package of such a version"]


def test_missing_version_is_a_warning(tmp_path):
    path = chain(tmp_path / "n.nir", [2], nir.Scale(ONE))
    with h5py.File(path, "a") as file:
        del file["version"]
    assert "does not say its NIR version" in warnings(path)[0]


def test_all_problems_of_nodes_and_edges_at_once(tmp_path):
    nodes = {
        "input": nir.Input(np.array([2])),
        "odd": {"type": "Izhikevich", "a": ONE},
        "untyped": {"weight": ONE},
        "short": {"type": "LIF", "tau": ONE, "r": ONE},
        "more": {"type": "Scale", "scale": ONE, "shift": ONE},
        "nan": nir.Scale(np.array([np.nan, 1e300])),
        "still": lif(np.array([0.0, 1e-3])),
        "past": nir.Delay(np.array([-1e-3, 0.0])),
        "flat": {"type": "Affine", "weight": ONE, "bias": ONE},
        "text": {"type": "Scale", "scale": "two"},
        "output": nir.Output(np.array([2])),
    }
    edges = [("input", "zzz"), ("odd", "output"), ("output", "odd"), ("odd", "input")]
    found = "\n".join(errors(write(tmp_path / "n.nir", nodes, edges)))
    for text in ("node 'odd': unknown kind of node 'Izhikevich'; NIR has Affine,", "node 'untyped': the node does not",
                 "node 'short': this LIF lacks the parameter 'v_leak'", "'short': this LIF lacks the parameter 'v_thre",
                 "node 'more': this Scale has the parameter 'shift'", "node 'nan': 'scale' holds 2 values that are not",
                 "node 'still': the time constant 'tau' must be positive; its least value is 0", "cannot be negative",
                 "node 'flat': this Affine is refused by the nir package: Weight must be at least 2D",
                 "node 'text': 'scale' is 'two'; numbers are needed",
                 "edge ('input', 'zzz'): there is no node 'zzz' in the graph; its nodes are",
                 "edge ('output', 'odd') comes out of an Output", "edge ('odd', 'input') leads into an Input"):
        assert text in found


def test_shapes_that_do_not_fit(tmp_path):
    path = chain(tmp_path / "n.nir", [3], nir.Linear(np.ones((4, 2))), lif(1e-3 * np.ones(5)), out=[5])
    assert errors(path) == ["error: edge ('input', 'a'): 'input' gives [3], 'a' takes [2]",
                            "error: edge ('a', 'b'): 'a' gives [4], 'b' takes [5]"]


def conv(path, shape, weight=(4, 2, 3, 3), **changed):
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(weight[0])} | changed
    return chain(path, shape, {"type": "Conv2d", "weight": np.ones(weight), **given}, out=[4, 1, 1])


def test_convolutions_that_do_not_fit(tmp_path):
    path = tmp_path / "n.nir"
    assert "the kernel [3, 3] of this Conv2d does not fit" in errors(conv(path, [2, 2, 5]))[0]
    assert "takes 3 dimensions (channels first), but its input is [2, 5]" in errors(conv(path, [2, 5]))[0]
    assert "in 2 groups, but its input has 3 channels" in errors(conv(path, [3, 5, 5], groups=2))[0]
    assert "has shape [4, 2, 3]; 4 dimensions" in errors(conv(path, [2, 5, 5], (4, 2, 3)))[0]
    assert "are not all positive" in errors(conv(path, [2, 5, 5], stride=0))[0]
    assert "the bias of this Conv2d has shape [3]" in errors(conv(path, [2, 5, 5], bias=np.zeros(3)))[0]
    assert "'padding' is 'full'; numbers, 'same' or 'valid' are" in errors(conv(path, [2, 5, 5], padding="full"))[0]
    assert "'stride' is [1.0, 1.0, 1.0]; whole numbers (2)" in errors(conv(path, [2, 5, 5], stride=np.ones(3)))[0]
    assert "'groups' is 0.5; whole numbers (1)" in errors(conv(path, [2, 5, 5], groups=0.5))[0]
    assert "'shape' is [0, 5]; a list of sizes" in errors(conv(path, [0, 5]))[0]
    flat = {"type": "Flatten", "start_dim": 2, "end_dim": 0}
    assert "cannot flatten dimensions 2 to 0" in errors(chain(path, [2, 3, 4], flat, out=[24]))[0]


def test_unknown_shape(tmp_path):
    nodes = {"pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
             "output": nir.Output(np.array([1, 1, 1]))}
    assert "the network has no Input" in errors(write(tmp_path / "n.nir", nodes, [("pool", "output")]))[0]


def test_huge_shapes(tmp_path):
    path = chain(tmp_path / "n.nir", [10**9, 10**9], nir.Scale(np.array(1.0)), out=[10**9, 10**9])
    assert "1000000000000000000 values for one sample; at most 16777216 are read" in errors(path)[0]
    path = chain(tmp_path / "m.nir", [2], nir.Scale(ONE))
    with h5py.File(path, "a") as file:
        del file["node/nodes/a/scale"]
        file["node/nodes/a"].create_dataset("scale", shape=(10**7, 10**7), dtype="f8", chunks=(1000, 1000))
    assert "node 'a': 'scale' declares an array of shape [10000000, 10000000] (8e+14 bytes)" in errors(path)[0]


def test_sub_graph_with_two_inputs_needs_a_name(tmp_path):
    sub = ({"x": nir.Input(ONE), "y": nir.Input(ONE)}, [("x", "y")])
    nodes = {"input": nir.Input(np.array([1, 1])), "sub": sub, "output": nir.Output(np.array([1, 1]))}
    found = errors(write(tmp_path / "n.nir", nodes, [("input", "sub"), ("sub", "output")]))
    assert "means the Input of sub-graph 'sub', but it has 2 of them (x, y); name one, e.g. 'sub.x'" in found[0]
    assert "means the Output of sub-graph 'sub', but it has none" in found[1]


def test_damaged_structure(tmp_path):
    with h5py.File(tmp_path / "n.nir", "w") as file:
        file["version"] = nir.version
        file["node/type"] = "NIRGraph"
    found = errors(tmp_path / "n.nir")
    assert {"error: the graph has no nodes", "error: the graph has no edges"} <= set(found)
    path = chain(tmp_path / "e.nir", [2], nir.Scale(ONE))
    with h5py.File(path, "a") as file:
        del file["node/edges"]
        file["node/edges"] = np.zeros((2, 3))
        file["node/nodes/loose"] = 3
    assert "have shape [2, 3]; pairs of node names" in errors(path)[1]
    assert "it is no node" in errors(path)[0]
    with h5py.File(path, "a") as file:
        del file["node/edges"]
        file["node/edges"] = np.zeros((2, 2))
    assert "has an edge that is not two names" in errors(path)[1]


@pytest.mark.parametrize(("convention", "node", "text"), [
    ("norse", lif(np.full(2, 1e-3), r=5.0), "'r' is 5 (unit 0); norse only honours 1"),
    ("norse", lif(np.full(2, 1e-3), reset=np.array([0, -1.0])), "'v_reset' is -1 (unit 1); norse only honours 0"),
    ("snntorch", lif(np.full(2, 1e-3), leak=0.5), "'v_leak' is 0.5 (unit 0); snntorch only honours 0"),
    ("snntorch", nir.CubaLIF(1e-3 * ONE, 1e-3 * ONE, 3 * ONE, 0 * ONE, ONE), "honours 10 (tau_mem/dt)"),
    ("snntorch", nir.IF(r=3 * ONE, v_threshold=ONE), "'r' is 3 (unit 0); snntorch only honours 1"),
    ("rockpool", nir.CubaLIF(1e-3 * ONE, 1e-3 * ONE, ONE, 0 * ONE, ONE), "what rockpool makes of the resistances of a"),
    ("nengo", lif(np.full(2, 1e-3), reset=0.5), "nengo only honours 0"),
    ("spikingjelly", lif(np.full(2, 1e-3), r=3.0), "'r' is 3 (unit 0); spikingjelly only honours 1 or 10 (1 or tau/"),
    ("spikingjelly", lif(np.full(2, 1e-3), reset=-0.5), "only honours -0.5 (as v_reset)"),
    ("spikingjelly", nir.IF(r=3 * ONE, v_threshold=ONE), "only honours 10000 (1/dt)"),
])
def test_what_a_platform_does_not_honour(tmp_path, convention, node, text):
    found = errors(chain(tmp_path / "n.nir", [2], node), convention=convention)
    assert text in found[0]
    assert found[0].startswith("error: node 'a'")


def test_subtraction_does_not_reset_to_a_value(tmp_path):
    path = chain(tmp_path / "n.nir", [2], lif(np.full(2, 1e-3), reset=-0.5))
    assert "'v_reset' is not 0, but reset is by subtraction" in errors(path, reset="subtract")[0]


def test_options(tmp_path, capsys):
    path = chain(tmp_path / "n.nir", [2], lif(np.full(2, 1e-3)))
    assert "--nir-convention=brian: it is one of auto, euler" in errors(path, convention="brian")[0]
    assert "--nir-reset=none: it is 'value' or 'subtract'" in errors(path, reset="none")[0]
    for dt in (0, -1.0, "fast", float("nan")):
        assert "it is a positive number of seconds" in errors(path, dt=dt)[0]
    assert "--batch=0: it must be at least 1" in errors(path, batch=0)[0]
    assert "no node and no graph has a 'dt'" in errors(path, dt="metadata")[0]
    with pytest.raises(ImportFailed, match="--as and --state are for ONNX"):
        load_model(path, as_="step")
    with pytest.raises(ImportFailed, match="are for .nir files"):
        load_model("net.onnx", nir=NirOptions(dt=1e-3))
    with pytest.raises(sl.UsageError, match="--state and --as are for ONNX"):
        sl.load(path, as_="step")
    with pytest.raises(sl.UserError, match="does not exist"):
        sl.load(tmp_path / "no.nir")
    assert cli(["check", str(path), "--nir-dt=-1"]) == 2
    assert "'-1' is not a positive number" in capsys.readouterr().err
    with pytest.raises(sl.UsageError, match="are for .nir files"):
        sl.load(DATA.parent / "norse_lif__step__dynamo.onnx", nir_dt=1e-3)


def test_time_steps_in_metadata_that_differ(tmp_path):
    node = nir.Scale(ONE)
    node.metadata = {"dt": 2e-3}
    path = chain(tmp_path / "n.nir", [2], node, metadata={"dt": 1e-3})
    assert "the metadata have the time steps 0.001 (the graph), 0.002 (a)" in errors(path, dt="metadata")[0]
    path = chain(tmp_path / "m.nir", [2], nir.Scale(ONE), metadata={"dt": "fast"})
    assert "the dt of the graph is no number" in errors(path, dt="metadata")[0]


def test_step_longer_than_a_time_constant_is_a_warning(tmp_path):
    path = chain(tmp_path / "n.nir", [2], lif(np.full(2, 1e-5)))
    assert "'tau' is 1e-05 s, shorter than the time step 0.0001 s: forward Euler overshoots and grows" in \
        warnings(path)[0]
    assert warnings(path, convention="exponential") == []


def test_time_constants_that_look_like_steps(tmp_path):
    path = chain(tmp_path / "n.nir", [2], lif(np.array([20.0, 9.5])))
    assert "node 'a': the shortest time constant of the file is 9.5 s" in warnings(path)[0]
    assert warnings(path, dt=1.0) == []


def test_delay_of_too_many_steps(tmp_path):
    path = chain(tmp_path / "n.nir", [2], nir.Delay(ONE))
    assert "its longest delay is 10000 time steps of 0.0001 s; at most 4096" in errors(path)[0]
    path = chain(tmp_path / "w.nir", [10**4], nir.Delay(np.full(10**4, 0.3)))
    assert "it keeps 30000000 values for one sample (3000 time steps of 10000 units); at most" in errors(path)[0]


@pytest.mark.parametrize("seed", range(40))
def test_contents_changed_at_random(tmp_path, seed):
    """Anything may be missing or something else: refused or read, never another exception."""
    rng = np.random.default_rng(seed)
    sources = ("lif_norse.nir", "braille_noDelay_bias_zero.nir", "cnn_sinabs.nir")
    path = tmp_path / "n.nir"
    path.write_bytes((DATA / sources[seed % 3]).read_bytes())
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        for name in rng.choice([n for n in names if n != "node"], 3):
            if name in file:
                del file[name]
                change = [None, np.zeros(0), "text", np.full((3, 4), 2.5), -1, np.array([b"a", b"b"]), np.inf]
                if (value := change[rng.integers(len(change))]) is not None:
                    file[name] = value
    try:
        load_nir(path).to_mlir()
    except ImportFailed as failure:
        problems = failure.problems
    else:
        return
    assert any(p.severity == "error" for p in problems)


def test_without_the_nir_package(tmp_path, monkeypatch):
    path = chain(tmp_path / "n.nir", [2], nir.Scale(ONE))
    monkeypatch.setitem(sys.modules, "spikeloom.importers.nir_step", None)
    assert "pip install nir" in errors(path)[0]
