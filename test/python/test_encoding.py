# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Codings of still data."""

import numpy as np
import pytest

from spikeloom.encoding import Encoding, direct, latency, rate
from spikeloom.errors import UsageError, UserError


def test_latency_by_hand():
    pixels = np.array([[255, 254, 128, 1, 0]], np.uint8)
    spikes = latency(pixels, 25)
    assert spikes.shape == (25, 1, 5)
    assert spikes.dtype == np.float32
    # floor((255 - p) * 25 / 255): 0, 0, 12, 24, never
    assert [list(np.flatnonzero(spikes[:, 0, i])) for i in range(5)] == [[0], [0], [12], [24], []]


def test_latency_of_floats_and_bools():
    spikes = latency(np.array([[1.0, 0.5, 0.0]], np.float32), 4)
    assert [list(np.flatnonzero(spikes[:, 0, i])) for i in range(3)] == [[0], [2], []]
    spikes = latency(np.array([[True, False]]), 3)
    assert spikes[:, 0].tolist() == [[1, 0], [0, 0], [0, 0]]


def test_values_that_are_no_intensities_are_refused():
    for coding in ("latency", "rate"):
        with pytest.raises(UserError, match=rf"--encode={coding} takes intensities in \[0, 1\].*\[-1, 3\]"):
            Encoding(coding).encoder(5, 0)(np.array([[-1.0, 3.0]], np.float32))
    with pytest.raises(UserError, match="intensities"):
        Encoding("latency").encoder(5, 0)(np.array([[np.nan]], np.float32))


def test_rate_is_seeded_and_follows_the_intensity():
    pixels = np.tile(np.array([0, 51, 255], np.uint8), (200, 1))
    first = rate(pixels, 50, gain=1.0, seed=3)
    assert np.array_equal(first, rate(pixels, 50, gain=1.0, seed=3))
    assert not np.array_equal(first, rate(pixels, 50, gain=1.0, seed=4))
    assert not np.array_equal(first, rate(pixels, 50, gain=1.0, seed=3, epoch=1))
    mean = first.mean((0, 1))
    assert mean[0] == 0
    assert mean[1] == pytest.approx(0.2, abs=0.02)
    assert mean[2] == 1
    assert rate(pixels, 50).mean((0, 1))[2] == pytest.approx(0.15, abs=0.02)


def test_rate_of_a_sample_does_not_depend_on_its_batch():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 7)).astype(np.uint8)
    together = rate(pixels, 20, seed=2, epoch=5)
    chosen = np.array([7, 2])
    assert np.array_equal(rate(pixels[chosen], 20, seed=2, epoch=5, indices=chosen), together[:, chosen])


def test_rate_refuses_a_gain_that_is_no_chance():
    with pytest.raises(UserError, match=r"gain of the rate coding is 2; a chance in \(0, 1\] is wanted"):
        rate(np.ones((1, 1), np.float32), 5, gain=2.0)


def test_direct_repeats_and_scales():
    x = direct(np.array([[255, 0]], np.uint8), 3)
    assert x.shape == (3, 1, 2)
    assert x[:, 0].tolist() == [[1, 0]] * 3


def test_encodings_as_options():
    still = np.ones((2, 3), np.float32)
    assert Encoding().encoder(5, 0) is None
    assert np.array_equal(Encoding("rate", gain=0.5).encoder(4, 7)(still), rate(still, 4, gain=0.5, seed=7))
    with pytest.raises(UsageError, match="unknown coding 'phase'; known: none, latency, rate, direct"):
        Encoding("phase")
    with pytest.raises(UsageError, match="a gain is for the coding 'rate'; 'latency' has none"):
        Encoding("latency", gain=0.5)
