# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NIR graphs through the compiler and the engines."""

from pathlib import Path

import numpy as np
import pytest

from nir_maker import run, spikes

DATA = Path(__file__).resolve().parents[1] / "python" / "data" / "nir"


@pytest.mark.parametrize(("platform", "options"), [
    ("norse", []), ("snntorch", []), ("spyx", []), ("sinabs", []), ("norse", ["--engine=strict"])])
def test_traces_through_the_program(tmp_path, spikeloom, platform, options):
    """The programs give what the platforms recorded, spike by spike."""
    recorded = np.loadtxt(DATA / f"lif_{platform}.csv", delimiter=",")
    np.save(tmp_path / "x.npy", (recorded[:, :1, None] != 0).astype(np.float32))
    spikeloom("run", DATA / "lif_norse.nir", "--input", "x.npy", "--output", "out", "--machine=tiny",
              f"--nir-convention={platform}", "--nir-dt=1e-4", *options)
    fired = np.load(tmp_path / "out" / "output.npy").ravel()
    assert np.flatnonzero(fired).tolist() == np.flatnonzero(recorded[:, 2]).tolist()
    last = np.load(tmp_path / "out" / "1.v_out.npy").item()
    assert last == np.float32(recorded[-1, 1])


def test_recurrent_graph(tmp_path, spikeloom):
    """Braille: the program, the importer's own evaluation, and training."""
    graph = DATA / "braille_noDelay_bias_zero.nir"
    x = spikes(60, 4, 12)
    np.save(tmp_path / "x.npy", x)
    spikeloom("run", graph, "--input", "x.npy", "--output", "out", "--machine=tiny", "--batch=4")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "output.npy"), run(graph, x))
    labels = np.arange(4) % 7
    np.save(tmp_path / "samples.npy", np.moveaxis(x, 0, 1))
    np.save(tmp_path / "labels.npy", labels)
    result = spikeloom("train", graph, "--inputs", "samples.npy", "--labels", "labels.npy", "--epochs=8", "--batch=4",
                       "--lr=0.01", "--machine=tiny", "--save", "w.safetensors", "--quiet")
    assert result.err == ""
    from safetensors.numpy import load_file

    assert set(load_file(tmp_path / "w.safetensors")) == {
        f"{n}.{w}" for n in ("fc1", "fc2", "lif1.w_rec") for w in ("weight", "bias")}


def test_convolutional_graph(tmp_path, spikeloom):
    """N-MNIST, with neurons that fire several times a step; features may keep their dimensions."""
    graph = DATA / "cnn_sinabs.nir"
    x = spikes(10, 2, 2 * 34 * 34, 0.1)
    np.save(tmp_path / "x.npy", x.reshape(10, 2, 2, 34, 34))
    spikeloom("run", graph, "--input", "x.npy", "--output", "out", "--batch=2", "--nir-convention=sinabs")
    found = np.load(tmp_path / "out" / "output.npy")
    assert found.sum() > 0
    np.testing.assert_array_equal(found, run(graph, x, convention="sinabs"))


def test_malformed_graph(spikeloom):
    result = spikeloom("compile", DATA / "braille_noDelay_bias_zero_subgraph.nir", "-o", "x.loom", code=1)
    assert "edge ('lin', 'lif') of sub-graph 'lif1': there is no node 'lif'" in result.err
