"""Weights leave as files that others read: the same masks, and nothing lost."""

import numpy as np
import pytest
import torch
from exporting import export, tuned_project
from PIL import Image
from safetensors.torch import load_file
from segment_anything import SamAutomaticMaskGenerator, sam_model_registry
from tuned_files import project_of_discs
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.answers.tuned import open_tuned
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.checkpoints import load_model, read_state
from napari_sam_tune.core.models.tiny_vit import build_vit_t
from napari_sam_tune.formats.weights.usage import use_sam

pytestmark = pytest.mark.usefixtures("at_128_px")


def test_a_merged_checkpoint_draws_what_base_and_adapters_draw(tmp_path):
    model = load_model("starter")
    project, tensors = tuned_project(tmp_path / "p", model.ref, model.sam)
    assert export(project, tmp_path / "m.pth").exit_code == 0
    here = Predictor(model)
    here.weights.load(tensors, "tuned")
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
    assert {path.name for path in tmp_path.iterdir()} == {
        "p", "m.pth", "m.pth.md", "l.safetensors", "l.safetensors.md"
    }  # fmt: skip


def test_vit_b_comes_from_segment_anything_and_goes_back_merged(tmp_path):
    torch.manual_seed(0)
    sam = sam_model_registry["vit_b"]().eval()
    base = sam.state_dict()
    torch.save(base, tmp_path / "base.pth")
    model = load_model(tmp_path / "base.pth")
    assert model.architecture == "vit_b"
    ours = model.sam.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in base.items())
    assert torch.equal(model.sam.pixel_std, sam.pixel_std)
    project, tensors = tuned_project(tmp_path / "p", model.ref, model.sam)
    assert export(project, tmp_path / "m.pth").exit_code == 0
    card = (tmp_path / "m.pth.md").read_text(encoding="utf-8")
    assert 'sam = sam_model_registry["vit_b"](checkpoint="m.pth")' in card
    saved = sam_model_registry["vit_b"](checkpoint=str(tmp_path / "m.pth"))
    theirs = saved.state_dict()
    qkv = "image_encoder.blocks.0.attn.qkv.weight"
    assert not torch.equal(theirs[qkv], base[qkv])
    mine = Predictor(model)
    mine.weights.load(tensors, "tuned")
    changed = [n for n, t in mine.sam.state_dict().items() if not torch.equal(t, theirs[n])]
    assert not changed
    exported = read_state(tmp_path / "m.pth").values()
    assert all(type(value) is torch.Tensor for value in exported)
    found = [masks_of_everything(sam) for sam in (saved, mine.sam)]
    assert np.array_equal(*found)
    assert 0 < found[0].mean() < 1


def masks_of_everything(sam):
    """What segment-anything draws without prompts; all but one of the blocks are left out."""
    sam.image_encoder.blocks = sam.image_encoder.blocks[:1]
    generator = SamAutomaticMaskGenerator(
        sam.eval(), points_per_side=2, pred_iou_thresh=0, stability_score_thresh=0
    )
    image = np.random.default_rng(0).integers(0, 255, (64, 80, 3), np.uint8)
    return np.array([mask["segmentation"] for mask in generator.generate(image)])


@pytest.mark.parametrize("form", ["safetensors", "lora"])
def test_tuned_weights_may_be_a_base_model(tmp_path, form):
    model = load_model("starter")
    project, tensors = tuned_project(tmp_path / "p", model.ref, model.sam)
    out = tmp_path / "tuned.safetensors"
    assert export(project, out, "--format", form).exit_code == 0
    here = Predictor(model)
    here.weights.load(
        {n: t for n, t in tensors.items() if form != "lora" or ".lora_" in n}, "tuned"
    )
    again = load_model(out)
    assert (again.architecture, again.ref.name) == ("starter2", str(out))
    there = again.sam.state_dict()
    assert all(torch.equal(tensor, there[name]) for name, tensor in here.sam.state_dict().items())


def test_a_whole_model_may_be_the_weights(tmp_path):
    model = load_model("starter")
    project, tensors = tuned_project(tmp_path / "p", model.ref, model.sam)
    assert export(project, tmp_path / "m.pth").exit_code == 0
    predictor, whole = open_tuned(tmp_path / "m.pth", device="cpu", base=project.base)
    assert predictor.ref == model.ref
    assert set(whole.tensors) == set(predictor.weights.plain(tensors))
    assert export(
        project, tmp_path / "again.pth", "--weights", str(tmp_path / "m.pth")
    ).exit_code == 0  # fmt: skip
    first, second = (load_model(tmp_path / name).sam for name in ("m.pth", "again.pth"))
    both = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in both)

    image = tmp_path / "grey.png"
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(image)
    asked = ["predict", str(image), "--weights", str(tmp_path / "m.pth"), "--point", "20,20"]
    asked += ["--device", "cpu", "--out", str(tmp_path / "masks"), "--baseline"]
    assert "say by --model" in str(CliRunner().invoke(app, asked).exception)
    answered = CliRunner().invoke(app, [*asked, "--model", "starter"])
    assert answered.exit_code == 0
    assert "base" in answered.output
    assert "tuned" in answered.output


def test_a_whole_model_of_another_kind_is_refused(tmp_path):
    torch.save(build_vit_t().state_dict(), tmp_path / "mobile_sam.pt")
    with pytest.raises(CheckpointError, match=r"is a vit_t, and cannot be set beside starter"):
        open_tuned(tmp_path / "mobile_sam.pt", model="starter", device="cpu")


def test_the_card_says_what_the_weights_are(tmp_path):
    project = project_of_discs(tmp_path)
    sam = load_model("starter").sam
    name = "mask_decoder.mask_tokens.weight"
    info = {
        "base": {"name": "starter", "sha256": project.base.sha256},
        "architecture": "starter",
        "parts": ["mask_decoder"],
        "parent": "base",
        "config": TrainConfig(learning_rate=0.00123).model_dump(mode="json"),
        "masks": 6,
        "prompts": {"real": 4, "simulated": 36},
        "scores": {"objects": 3, "current": 0.5123, "candidate": 0.6234},
    }
    version = project.save_weights({name: sam.state_dict()[name] + 0.1}, info)
    change = {"before": 0.5, "after": 0.7, "objects": 2}
    verdict = {"reason": "Better on 3 objects.", "by_class": {"pit": change}}
    project.promote(version, report={"verdict": verdict})
    assert export(project, tmp_path / "m.pth").exit_code == 0
    card = (tmp_path / "m.pth.md").read_text(encoding="utf-8")
    for line in (
        f"# starter {version}",
        f"| Base model | starter (SHA-256 {project.base.sha256}) |",
        "| Parts trained | mask_decoder |",
        "| masks of class | train | held_out | test |",
        "| pit | 4 | 2 | 0 |",
        "| void | 2 | 1 | 0 |",
        "| images | 2 | 1 | 0 |",
        "| all | 3 | 0.512 | 0.623 |",
        "| pit | 2 | 0.500 | 0.700 |",
        "Better on 3 objects.",
        "learning_rate: 0.00123",
        "napari-sam-tune predict IMAGE --model m.pth --point X,Y --out DIR",
    ):
        assert line in card.splitlines(), line
    assert "learnt from 6 masks, 4 real prompts, 36 simulated prompts." in card
    assert export(project, tmp_path / "b.pth", "--version", "base").exit_code == 0
    assert "nothing in it was tuned" in (tmp_path / "b.pth.md").read_text(encoding="utf-8")


def test_the_card_names_a_program_that_reads_the_architecture():
    assert "from segment_anything import" in use_sam("m.pth", "vit_b")
    assert "from mobile_sam import" in use_sam("m.pth", "vit_t")
    for edition in ("starter", "starter2"):
        assert "sam_model_registry" not in use_sam("m.pth", edition)
