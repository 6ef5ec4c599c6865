"""The tutorials of docs/fine_tuning.md, as they stand there but for the number of steps."""

import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from rasterio import features
from safetensors.torch import load_file
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.exchange.labelled_images import true_objects
from napari_sam_tune.core.models.checkpoints import load_model
from napari_sam_tune.core.project.project import Project
from napari_sam_tune.demo import sample_pairs

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "fine_tuning.md").read_text(encoding="utf-8")
QUICK = [
    "batch_size=2", "corrections=1", "judge_objects=2", "look_objects=2", "robot_clicks=2",
    "look_every=1", "zoom_share=0",
]  # fmt: skip


def commands(name):
    """The commands of a tutorial, quicker."""
    block = re.search(rf"<!-- tutorial {name} -->\n```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block[1].strip().splitlines():
        line = re.sub(r"steps=\d+", "steps=2", line)
        line = line.replace("lora.rank=2,4,8,16,32 --seeds 2", "lora.rank=2,8 --seeds 1")
        program, verb, *rest = shlex.split(line)
        assert program == "napari-sam-tune"
        if verb in ("train", "sweep"):
            rest += [part for setting in QUICK for part in ("--set", setting)]
        if verb == "evaluate":
            rest += ["--limit", "2"]
        yield [verb, *rest]


@pytest.fixture(scope="module")
def top(tmp_path_factory, at_128_px):
    """A folder as the repository's top is to somebody who follows the tutorials."""
    path = tmp_path_factory.mktemp("top")
    (path / "resources").symlink_to(ROOT / "resources")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        run("project")
    return path


@pytest.fixture
def folder(top, monkeypatch):
    """The same, entered."""
    monkeypatch.chdir(top)
    return top


def run(name):
    """Run a tutorial in this process: to start one for each command takes longer than it does."""
    for command in commands(name):
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert done.exit_code == 0, f"{command}\n{done.output}"


def test_a_decoder_tuning_with_a_squared_loss(folder):
    run("A")
    report = folder / "tutorial" / "a" / "report"
    assert json.loads((report / "metrics.json").read_text())
    pictures = list(report.rglob("*.png"))
    assert len(pictures) >= 3
    tensors = load_file(folder / "tutorial" / "a" / "weights.safetensors")
    assert all(name.startswith("mask_decoder.") for name in tensors)


def test_b_ranks_against_each_other_and_a_merged_checkpoint(folder):
    run("B")
    out = folder / "tutorial" / "b"
    with Image.open(out / "sweep.png") as chart:
        assert chart.size[0] > 400
    adapters = load_file(out / "adapters.safetensors")
    width = 256
    assert sum(t.numel() for t in adapters.values()) == 3 * 2 * (2 * width * 8)
    assert load_model(out / "merged.pth").architecture == "starter2"
    assert len(list((out / "answers").glob("*.png"))) >= 2


def test_c_parcels_from_polygons(folder):
    polygons = folder / "tutorial" / "polygons"
    polygons.mkdir(parents=True)
    for pair in sample_pairs():
        with Image.open(pair.image) as picture:
            shape = picture.size[::-1]
        drawn = [
            {"type": "Feature", "geometry": geometry, "properties": {"class": pair.label}}
            for target in true_objects(pair, shape)
            for geometry, _ in features.shapes(target.mask.astype("uint8"), mask=target.mask)
        ]
        document = {"type": "FeatureCollection", "features": drawn}
        (polygons / f"{pair.stem}.geojson").write_text(json.dumps(document))
    run("C")
    project = Project.open(folder / "tutorial" / "parcels", create=False)
    assert {a.split for a in project.annotations()} == {"train", "held_out", "test"}
    tensors = load_file(folder / "tutorial" / "c" / "weights.safetensors")
    assert not [name for name in tensors if "iou_prediction_head" in name]


def test_d_a_head_that_needs_no_prompt(folder):
    run("D")
    tensors = load_file(folder / "tutorial" / "d" / "weights.safetensors")
    assert {name.split(".")[0] for name in tensors} == {"promptless_head", "image_encoder"}
    scores = json.loads((folder / "tutorial" / "d" / "report" / "metrics.json").read_text())
    assert scores["images"] == len(list((folder / "tutorial" / "d" / "report").glob("pictures/*")))
    assert len(list((folder / "tutorial" / "d" / "masks").glob("*.png"))) == 2 * len(sample_pairs())
