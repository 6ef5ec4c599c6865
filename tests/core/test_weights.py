"""Our own weights files: what goes in comes out, and nothing damaged gets in."""

import errno

import pytest
import torch
from safetensors.torch import save_file

from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing, StorageError
from napari_sam_tune.core.models.weights_file import (
    check_weights,
    content_version,
    read_info,
    read_weights,
    write_weights,
)


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    return {"b.weight": torch.randn(4, 3), "a.bias": torch.randn(3).half(), "c": torch.tensor(2.0)}


def test_what_is_written_is_read(tmp_path, tensors):
    info = {"parent": "base", "parts": ["mask_decoder"], "metrics": {"iou": 0.71}, "who": "Zoë"}
    version = write_weights(tmp_path / "w.safetensors", tensors, info)
    back, said = read_weights(tmp_path / "w.safetensors")
    assert said == info == read_info(tmp_path / "w.safetensors")
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)
    assert version == content_version(back) == content_version(dict(reversed(tensors.items())))
    assert len(version) == 12
    assert version != content_version({**tensors, "c": torch.tensor(2.5)})
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_view_of_a_larger_tensor_is_written_alone(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    write_weights(tmp_path / "w.safetensors", {"row": whole[1], "turned": whole.T}, {})
    back, _ = read_weights(tmp_path / "w.safetensors")
    assert torch.equal(back["row"], whole[1])
    assert torch.equal(back["turned"], whole.T)


def test_every_truncation_is_refused(tmp_path, tensors):
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors, {})
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"w\.safetensors"):
            read_weights(path)


def test_other_files_are_refused(tmp_path, tensors):
    with pytest.raises(CheckpointMissing, match="is missing"):
        read_weights(tmp_path / "nowhere.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="not written by a round"):
        read_weights(tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="without a tensor"):
        write_weights(tmp_path / "w.safetensors", {}, {})


def test_what_does_not_fit_is_named():
    model = torch.nn.Linear(3, 2)
    with pytest.raises(CheckpointError, match=r"bias is \(5,\), the model wants \(2,\)"):
        check_weights(model, {"weight": torch.ones(2, 3), "bias": torch.ones(5)})
    own = check_weights(model, {"weight": torch.ones(2, 3)})
    assert own == {"weight": model.weight}


def test_a_full_disk_leaves_the_earlier_file(tmp_path, tensors, monkeypatch):
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors, {"n": 1})

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="disk is full"):
            write_weights(path, tensors, {"n": 2})
    assert read_info(path) == {"n": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]
