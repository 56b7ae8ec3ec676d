# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files of users: what is read, and the words in which the rest is refused."""

import os
import pickle

import numpy as np
import pytest

from spikeloom import arrays
from spikeloom.errors import UserError


def test_reads_what_numpy_saved(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(6, dtype=np.float32).reshape(2, 3))
    for mapped in (False, True):
        assert arrays.load_array(path, "x", mapped=mapped).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"input 'x': .*objects.npy holds pickled Python objects.*astype\('float32'\)"):
        arrays.load_array(path, "input 'x'")
    path.write_bytes(pickle.dumps([1, 2, 3]))
    with pytest.raises(UserError, match=r"is a pickle; save the array with numpy.save"):
        arrays.load_array(path, "input 'x'")


def test_files_that_are_no_arrays(tmp_path):
    path = tmp_path / "x.npy"
    with pytest.raises(UserError, match="does not exist or is not a file"):
        arrays.load_array(path, "x")
    with pytest.raises(UserError, match="does not exist or is not a file"):
        arrays.load_array(tmp_path, "x")
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match="is no .npy file"):
        arrays.load_array(path, "x")
    np.savez(tmp_path / "x.npz", a=np.zeros(2))
    with pytest.raises(UserError, match="archive of several arrays"):
        arrays.load_array(tmp_path / "x.npz", "x")


def test_truncated_array(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((100, 100), np.float32))
    path.write_bytes(path.read_bytes()[:1000])
    for mapped in (False, True):
        with pytest.raises(UserError, match="x.npy cannot be read"):
            arrays.load_array(path, "x", mapped=mapped)


def test_dtypes(tmp_path):
    for good in (np.float32, np.uint8, np.bool_):
        arrays.check_numbers(np.zeros(2, good), "x")
    for bad in (np.float64, np.int64, np.complex64, np.dtype("U3")):
        with pytest.raises(UserError, match=r"x has dtype .*; float32, uint8 or bool is wanted"):
            arrays.check_numbers(np.zeros(2, bad), "x")


def test_values_that_are_not_finite_are_placed():
    array = np.zeros((2, 3), np.float32)
    array[1, 2] = np.nan
    with pytest.raises(UserError, match=r"input 'x': 1 of 6 values are NaN or infinite, the first at \[1, 2\]"):
        arrays.check_finite(array, "input 'x'")


def test_labels():
    good = arrays.check_labels(np.array([0, 9, 3], np.uint8), 3, 10, "--labels")
    assert good.dtype == np.int32
    cases = [
        (np.array([0.0, 1.0]), "--labels have dtype float64; whole numbers are wanted"),
        (np.zeros((2, 10), np.int64), r"--labels have shape \[2, 10\]; one class number per sample \[2\] is wanted"),
        (np.array([0, 1, 2]), "--labels: 3 labels for 2 samples"),
        (np.array([0, 10]), r"1 labels lie outside \[0, 10\); the first is 10 at sample 1 \(the network has 10"),
        (np.array([-1, 10]), r"2 labels lie outside \[0, 10\); the first is -1 at sample 0"),
    ]
    for labels, message in cases:
        with pytest.raises(UserError, match=message):
            arrays.check_labels(labels, 2, 10, "--labels")


def save_events(path, **settings):
    ids = settings.get("ids", np.array([[[1, 3, 0], [2, 0, 0]], [[0, 1, 2], [3, 0, 0]]], np.uint16))
    counts = settings.get("counts", np.array([[2, 1], [3, 0]], np.int32))
    np.savez(path, ids=ids, counts=counts)


def test_events_become_dense(tmp_path):
    path = tmp_path / "x.npz"
    save_events(path)
    samples = arrays.event_samples(path, 4, "--inputs")
    assert (samples.count, samples.steps) == (2, 2)
    both = samples.take(np.array([1, 0]))
    assert both.shape == (2, 2, 4)
    assert both[0].tolist() == [[1, 1, 1, 0], [0, 1, 0, 1]]
    assert both[1].tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]


def test_bad_events(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, ids=np.zeros((1, 1, 1), int))
    with pytest.raises(UserError, match="has no array 'counts'"):
        arrays.event_samples(path, 4, "--inputs")
    save_events(path, counts=np.array([[2, 4], [3, 0]]))
    with pytest.raises(UserError, match=r"counts must lie in \[0, 3\]"):
        arrays.event_samples(path, 4, "--inputs")
    save_events(path, counts=np.array([2, 1]))
    with pytest.raises(UserError, match=r"ids \[2, 2, 3\] and counts \[2\] do not fit"):
        arrays.event_samples(path, 4, "--inputs")
    save_events(path)
    with pytest.raises(UserError, match=r"id 3 at \[0, 0, 1\] lies outside \[0, 3\)"):
        arrays.event_samples(path, 3, "--inputs")
    save_events(path, counts=np.array([[2.0, 1.0], [3.0, 0.0]]))
    with pytest.raises(UserError, match="must be whole numbers"):
        arrays.event_samples(path, 4, "--inputs")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        arrays.event_samples(path, 4, "--inputs")


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "y.npy"
    arrays.save_array(path, np.ones(3), "output 'y'")
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="half way"), arrays.atomic_file(path, "y") as file:
        file.write(b"half")
        raise RuntimeError("half way")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["y.npy"]


def test_outputs_that_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match="cannot write /dev/full: No space left on device"):
        arrays.save_array("/dev/full", np.zeros(100000), "output 'y'")
    with pytest.raises(UserError, match="is a folder, not a file"):
        arrays.save_array(tmp_path, np.zeros(3), "output 'y'")
    with pytest.raises(UserError, match="cannot write .*: No such file or directory"):
        arrays.save_array(tmp_path / "no" / "y.npy", np.zeros(3), "output 'y'")
    with pytest.raises(UserError, match="--save: cannot write .*: the folder .*/no does not exist"):
        arrays.check_writable(tmp_path / "no" / "w", "--save")
    with pytest.raises(UserError, match="--save: .* is a folder"):
        arrays.check_writable(tmp_path, "--save")
