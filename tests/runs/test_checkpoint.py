import errno
import os
import struct

import pytest
import torch
from safetensors.torch import save_file

from metarl.runs import checkpoint
from metarl.runs.checkpoint import CheckpointError, load_state, save_state
from metarl.runs.store import StorageError

STATE = {
    "policy": {"a/b": torch.arange(6.0).reshape(2, 3), "a": {"b": torch.tensor([True, False])}},
    "moments": {
        0: {"step": torch.tensor(3.0), "betas": (0.9, 0.999)},
        1: [torch.zeros(0), None, "text"],
    },
    "rng": torch.Generator().manual_seed(1).get_state(),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "view": torch.arange(12).reshape(3, 4).t()[1:],
    "numbers": [1, 2**100, 0.1, float("inf"), True],
    "empty": {},
    "__tuple__": "a name that the format uses itself",
}


def equal(x, y):
    if isinstance(x, torch.Tensor):
        return isinstance(y, torch.Tensor) and x.dtype == y.dtype and torch.equal(x, y)
    if isinstance(x, dict):
        return (
            isinstance(y, dict) and list(x) == list(y) and all(equal(x[key], y[key]) for key in x)
        )
    if isinstance(x, (list, tuple)):
        return type(x) is type(y) and len(x) == len(y) and all(map(equal, x, y))
    return type(x) is type(y) and x == y


def test_a_state_comes_back_as_it_was(tmp_path):
    file = tmp_path / "state.safetensors"
    save_state(file, STATE, {"kind": "test"})
    about, state = load_state(file)
    assert about == {"kind": "test"}
    assert equal(state, STATE)
    assert os.listdir(tmp_path) == ["state.safetensors"]


def test_shared_storage_is_saved_twice(tmp_path):
    x = torch.arange(4.0)
    save_state(tmp_path / "s", {"x": x, "y": x[:2]}, {})
    assert equal(load_state(tmp_path / "s")[1], {"x": x, "y": x[:2]})


@pytest.mark.parametrize(
    "thing",
    [object(), torch.nn.Linear(1, 1), {1, 2}, b"bytes", lambda: None],
    ids=lambda thing: type(thing).__name__,
)
def test_only_data_can_be_saved(tmp_path, thing):
    with pytest.raises(TypeError, match="outer/1 is a"):
        save_state(tmp_path / "s", {"outer": [0, thing]}, {})
    assert not os.listdir(tmp_path)


def test_every_damaged_byte_is_noticed(tmp_path):
    file = tmp_path / "s"
    save_state(file, {"x": torch.arange(4.0), "n": 7}, {"kind": "test"})
    good = file.read_bytes()
    for place in range(len(good)):
        damaged = bytearray(good)
        damaged[place] ^= 4
        file.write_bytes(bytes(damaged))
        try:
            about, state = load_state(file)
        except CheckpointError:
            continue
        # a flip that changes nothing: white space that pads the header
        assert equal(state, {"x": torch.arange(4.0), "n": 7}), place
        assert about == {"kind": "test"}, place


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused_with_advice(tmp_path, kept):
    file = tmp_path / "s"
    save_state(file, STATE, {})
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"damaged.*Restore it from a copy, or delete it"):
        load_state(file)


def test_foreign_newer_and_missing_files_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "s"
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match="not written by metarl"):
        load_state(file)
    torch.save({"x": torch.zeros(1)}, file)  # a pickle is never opened as one
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_state(file)
    file.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(CheckpointError):
        load_state(file)
    with pytest.raises(CheckpointError, match="There is no file"):
        load_state(tmp_path / "nothing")
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    save_state(file, {}, {})
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    with pytest.raises(
        CheckpointError, match=r"newer metarl's \(format 2, this one reads 1\); upgrade"
    ):
        load_state(file)


def test_a_failed_write_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "s"
    save_state(file, {"n": 1}, {})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="no space is left"):
        save_state(file, {"n": 2}, {})
    monkeypatch.undo()
    assert load_state(file)[1] == {"n": 1}
    assert os.listdir(tmp_path) == ["s"]
