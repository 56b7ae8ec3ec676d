# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Codings of still data."""

import numpy as np
import pytest

from spikeloom.encoding import direct, encoder, latency, rate
from spikeloom.errors import UserError


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
            encoder(coding, 5)(np.array([[-1.0, 3.0]], np.float32))
    with pytest.raises(UserError, match="intensities"):
        encoder("latency", 5)(np.array([[np.nan]], np.float32))


def test_rate_is_seeded_and_follows_the_intensity():
    pixels = np.tile(np.array([0, 51, 255], np.uint8), (200, 1))
    first = rate(pixels, 50, np.random.default_rng(3))
    again = rate(pixels, 50, np.random.default_rng(3))
    assert np.array_equal(first, again)
    mean = first.mean((0, 1))
    assert mean[0] == 0
    assert mean[1] == pytest.approx(0.2, abs=0.02)
    assert mean[2] == 1


def test_direct_repeats_and_scales():
    x = direct(np.array([[255, 0]], np.uint8), 3)
    assert x.shape == (3, 1, 2)
    assert x[:, 0].tolist() == [[1, 0]] * 3


def test_unknown_coding():
    with pytest.raises(UserError, match="unknown coding 'phase'; known: none, latency, rate, direct"):
        encoder("phase", 5)
