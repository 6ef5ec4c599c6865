"""Base models: found by name or path, read without running anything, refused in plain words."""

import os
import pickle
import random
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import napari_sam_tune
from napari_sam_tune.core.errors import (
    CheckpointError,
    CheckpointMissing,
    SamTuneError,
    StorageError,
)
from napari_sam_tune.core.models import checkpoints
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import (
    load_base,
    load_model,
    resolve_device,
    sam_state_dict,
    save_sam_checkpoint,
    starter_path,
)


@pytest.fixture(scope="module")
def starter():
    return load_model("starter")


def test_the_starter_is_there(starter):
    assert starter.architecture == "starter2"
    assert starter.ref == BaseRef("starter", checkpoints.file_sha256(starter_path()))
    assert not starter.sam.training
    assert load_base(starter.ref).ref == starter.ref


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_export_loads_by_path(starter, tmp_path, suffix):
    path = tmp_path / f"tuned model{suffix}"
    if suffix == ".pth":
        save_sam_checkpoint(starter.sam, path)
    else:
        save_file(sam_state_dict(starter.sam), path)
    before = torch.get_rng_state()
    again = load_model(path)
    # what is replaced is not drawn first: of ViT-H that would be 2.5 GB
    assert torch.equal(torch.get_rng_state(), before)
    assert again.architecture == "starter2"
    assert again.ref.name == str(path)
    ours, theirs = starter.sam.state_dict(), again.sam.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(starter.sam.pixel_mean, again.sam.pixel_mean)


@pytest.mark.parametrize(("wrapper", "prefix"), [("model", "module."), ("state_dict", "sam.")])
def test_what_trainers_wrap_around_is_taken_off(starter, tmp_path, wrapper, prefix):
    state = {prefix + name: value.half() for name, value in starter.sam.state_dict().items()}
    torch.save({wrapper: state, "epoch": 3}, tmp_path / "wrapped.pth")
    model = load_model(tmp_path / "wrapped.pth")
    assert model.architecture == "starter2"
    assert {value.dtype for value in model.sam.state_dict().values()} == {torch.float32}


def test_micro_sam_puts_its_decoder_beside_the_model(starter, tmp_path):
    state = {f"sam.{name}": value for name, value in starter.sam.state_dict().items()}
    decoder = {"out_conv.weight": torch.zeros(3, 3)}
    torch.save({"model_state": state, "decoder_state": decoder}, tmp_path / "micro.pt")
    again = load_model(tmp_path / "micro.pt").sam.state_dict()
    assert all(torch.equal(again[n], value) for n, value in starter.sam.state_dict().items())
    torch.save(decoder, tmp_path / "decoder.pt")
    with pytest.raises(CheckpointError, match="holds no image encoder"):
        load_model(tmp_path / "decoder.pt")


def test_micro_sams_adapters_are_merged(starter, tmp_path):
    """As its LoRASurgery names them: around qkv, added to q and v, and around the MLP's layers."""
    block, generator = "image_encoder.blocks.1", torch.Generator().manual_seed(0)
    qkv, lin2 = f"{block}.attn.qkv", f"{block}.mlp.lin2"
    own = starter.sam.state_dict()
    expected = {name: own[name].clone() for name in (f"{qkv}.weight", f"{lin2}.weight")}
    state = {
        n.replace(f"{qkv}.", f"{qkv}.qkv_proj.").replace(".mlp.", ".mlp.mlp_layer."): value
        for n, value in own.items()
    }

    def adapt(layer, part, target):
        down = torch.randn(4, target.shape[1], generator=generator)
        up = torch.randn(len(target), 4, generator=generator)
        state[f"{layer}.w_a_linear_{part}.weight"] = down
        state[f"{layer}.w_b_linear_{part}.weight"] = up
        target += up @ down

    width = own[f"{qkv}.weight"].shape[1]
    adapt(qkv, "q", expected[f"{qkv}.weight"][:width])
    adapt(qkv, "v", expected[f"{qkv}.weight"][2 * width :])
    adapt(f"{block}.mlp", "2", expected[f"{lin2}.weight"])
    torch.save({"model_state": state}, tmp_path / "lora.pt")
    merged = load_model(tmp_path / "lora.pt").sam.state_dict()
    assert all(torch.equal(merged[name], expected.get(name, value)) for name, value in own.items())


class Payload:
    """A pickle that makes a file when it is read."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("write", ["torch", "legacy", "pickle"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, write):
    target, path = tmp_path / "ran", tmp_path / "model.pth"
    content = {"image_encoder.patch_embed.proj.weight": Payload(target)}
    if write == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=write == "torch")
    with pytest.raises(CheckpointError, match=r"model\.pth was refused: reading it would run code"):
        load_model(path)
    assert not target.exists()


def test_damaged_files_are_refused(starter, tmp_path):
    save_sam_checkpoint(starter.sam, tmp_path / "good.pth")
    save_file(sam_state_dict(starter.sam), tmp_path / "good.safetensors")
    rng = random.Random(0)
    for suffix in (".pth", ".safetensors"):
        content = (tmp_path / f"good{suffix}").read_bytes()
        path = tmp_path / f"damaged{suffix}"
        for length in (0, 1, 8, 100, 5000, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:length])
            with pytest.raises(CheckpointError, match="damaged"):
                load_model(path)
        path.write_bytes(rng.randbytes(4000))
        with pytest.raises(CheckpointError, match="damaged"):
            load_model(path)


def test_other_files_are_refused_by_what_is_wrong_with_them(starter, tmp_path):
    def refuse(content, complaint, name="file.pth"):
        torch.save(content, tmp_path / name)
        with pytest.raises(CheckpointError, match=complaint):
            load_model(tmp_path / name)

    state = starter.sam.state_dict()
    first = "image_encoder.lateral8.1.weight"
    refuse({**state, first: torch.zeros(2, 3)}, rf"{first} is \(2, 3\) instead of")
    refuse({name: v for name, v in state.items() if "iou_token" not in name}, "iou_token.* missing")
    refuse({**state, "extra.weight": torch.zeros(1)}, "extra.weight is not part of it")
    refuse({"conv1.weight": torch.zeros(1)}, "no image encoder")
    refuse({"image_encoder.patch_embed.proj.weight": torch.zeros(3, 3)}, "unknown kind")
    refuse([1, 2, 3], "no model weights")
    (tmp_path / "notes.pth").write_text("these are my notes")
    with pytest.raises(CheckpointError, match="another kind of file"):
        load_model(tmp_path / "notes.pth")


def test_what_is_not_there_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SAM_TUNE_CHECKPOINTS", str(tmp_path))
    with pytest.raises(
        CheckpointMissing, match=r"By hand: download https://.*01ec64\.pth.*SHA-256"
    ):
        load_model("vit_b")
    with pytest.raises(FileNotFoundError, match="starter, vit_b"):
        load_model("vit_x")
    with pytest.raises(CheckpointError, match="is a folder"):
        load_model(tmp_path)
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"half a download")
    with pytest.raises(CheckpointError, match="damaged or not the published vit_b"):
        load_model("vit_b")


def test_a_base_that_was_exchanged_is_noticed(starter, tmp_path):
    path = tmp_path / "base.pth"
    save_sam_checkpoint(starter.sam, path)
    with pytest.raises(CheckpointError, match="not the file this project was begun with"):
        load_base(BaseRef(str(path), "0" * 64))
    with pytest.raises(CheckpointError, match=r"another edition.*no record is lost"):
        load_base(BaseRef("starter", "0" * 64))


def test_devices():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cuda", "mps", "cpu")
    with pytest.raises(SamTuneError, match="not a device"):
        resolve_device("toaster")
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(SamTuneError, match=r"no .* device that torch"):
        resolve_device(absent)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said(starter, tmp_path, monkeypatch):
    full = os.open("/dev/full", os.O_WRONLY)
    real = os.open

    def on_a_full_disk(path, flags, *rest, **named):
        opened = real(path, flags, *rest, **named)
        return os.dup2(full, opened) if flags & os.O_CREAT else opened

    monkeypatch.setattr(os, "open", on_a_full_disk)
    with pytest.raises(StorageError, match="disk is full"):
        save_sam_checkpoint(starter.sam, tmp_path / "export.pth")
    monkeypatch.undo()
    os.close(full)
    assert not (tmp_path / "export.pth").exists()


def test_what_a_sam_is_made_of_is_known_where_models_are_made_alone():
    package = Path(napari_sam_tune.__file__).parent
    # what is exported for programs that know nothing of ours is traced part by part
    made = package / "core/models", package / "starter", package / "formats/weights/graphs.py"
    part = re.compile(r"sam\.(image_encoder|prompt_encoder|mask_decoder|pixel_\w+|preprocess)\b")
    knowing = {file for file in package.rglob("*.py") if part.search(file.read_text("utf-8"))}
    assert made[0] / "network.py" in knowing
    assert [file for file in knowing if not any(map(file.is_relative_to, made))] == []
