"""Weights leave as files that others read: the same masks, and nothing lost."""

import torch
from safetensors.torch import load_file
from segment_anything import sam_model_registry
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.checkpoints import LoadedModel, load_model
from napari_sam_tune.core.lora import Adapters, scaled
from napari_sam_tune.core.predictor import Predictor
from napari_sam_tune.core.project import BaseRef, Project
from napari_sam_tune.core.training.config import LoraConfig

LORA = LoraConfig(rank=2, targets=("q", "v"))


def tuned_project(path, ref, sam):
    """A project whose version in use has adapters and a changed decoder."""
    project = Project.open(path)
    project.set_base(ref)
    adapters = scaled(Adapters.of(sam, LORA, seed=0).parameters, LORA)
    tensors = {name: torch.randn_like(t) * 0.02 for name, t in adapters.items()}
    name = "mask_decoder.mask_tokens.weight"
    tensors[name] = sam.state_dict()[name] + 0.1
    info = {"base": {"name": ref.name, "sha256": ref.sha256}, "architecture": "starter"}
    project.promote(project.save_weights(tensors, info), report={})
    return project, tensors


def export(project, out, *more):
    command = ["export", "weights", str(project.path), "--out", str(out), *more]
    return CliRunner().invoke(app, command)


def test_a_merged_checkpoint_draws_what_base_and_adapters_draw(tmp_path):
    model = load_model("starter")
    project, tensors = tuned_project(tmp_path / "p", model.ref, model.sam)
    assert export(project, tmp_path / "m.pth").exit_code == 0
    here = Predictor(model)
    here.load(tensors, "tuned")
    there = load_model(tmp_path / "m.pth").sam.state_dict()
    for name, tensor in here.sam.state_dict().items():
        assert torch.equal(tensor, there[name]), name

    again = export(project, tmp_path / "m.pth")
    assert "--overwrite" in str(again.exception)
    assert export(project, tmp_path / "m.pth", "--overwrite").exit_code == 0
    assert export(project, tmp_path / "l.safetensors", "--format", "lora").exit_code == 0
    adapters = load_file(tmp_path / "l.safetensors")
    assert set(adapters) == {name for name in tensors if ".lora_" in name}
    none = export(project, tmp_path / "x", "--format", "lora", "--version", "base")
    assert "no LoRA adapters" in str(none.exception)
    assert not (tmp_path / "x").exists()


def test_segment_anything_loads_a_merged_vit_b(tmp_path):
    sam = sam_model_registry["vit_b"]().eval()
    torch.save(sam.state_dict(), tmp_path / "base.pth")
    model = load_model(tmp_path / "base.pth")
    project, tensors = tuned_project(tmp_path / "p", model.ref, model.sam)
    assert export(project, tmp_path / "m.pth").exit_code == 0
    theirs = sam_model_registry["vit_b"](checkpoint=str(tmp_path / "m.pth")).state_dict()
    mine = Predictor(LoadedModel(sam, BaseRef("b", "0" * 64), "vit_b"))
    mine.load(tensors, "tuned")
    changed = [n for n, t in mine.sam.state_dict().items() if not torch.equal(t, theirs[n])]
    assert not changed
    base = torch.load(tmp_path / "base.pth", weights_only=True)
    assert not torch.equal(theirs["image_encoder.blocks.0.attn.qkv.weight"],
                           base["image_encoder.blocks.0.attn.qkv.weight"])  # fmt: skip
