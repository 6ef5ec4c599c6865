"""A project and a weights file of an earlier release open as they were; see `tests/data`."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from napari_sam_tune import Predictor, Project, Prompt, Session
from napari_sam_tune.core.answers.tuned import open_tuned
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.scoring import iou

if TYPE_CHECKING:
    from napari_sam_tune.core.prompts import Proposal

MADE = Path(__file__).parents[1] / "data" / "ad0f635"
ASKED = {
    "a pit": Prompt([(30, 30)], [1]),
    "the ground": Prompt([(60, 20)], [1]),
    "a pit in a box": Prompt([(10, 10)], [0], box=(48, 58, 72, 82)),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy, beside its images as it was when it was made."""
    shutil.copytree(MADE, tmp_path / "copy")
    return Project.open(tmp_path / "copy" / "project", create=False)


def hash_of(array: np.ndarray) -> str:
    """A hash of an array's type, shape and bytes."""
    head = f"{array.dtype} {array.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def describe_masks(project: Project) -> list[dict[str, Any]]:
    """All that is recorded of each mask in use, arrays as hashes."""
    rows = []
    for kept in project.annotations():
        arrays = {"mask": kept.mask, "proposal": kept.proposal_mask, "locked": kept.locked}
        row = {
            name: getattr(kept, name)
            for name in ("id", "image_id", "label", "split", "source", "supersedes", "area", "bbox")
        }
        row |= {"weights_version": kept.weights_version, "predicted_iou": kept.predicted_iou}
        row |= {"created": kept.created, "effort": asdict(kept.effort)}
        row["prompts"] = [[prompt.points, prompt.labels, prompt.box] for prompt in kept.prompts]
        row |= {name: None if found is None else hash_of(found) for name, found in arrays.items()}
        rows.append(row)
    return rows


def describe(project: Project) -> dict[str, Any]:
    """All that a project says of itself."""
    tensors, info = project.load_weights(project.current_version)
    told = {
        "base": asdict(project.base),
        "images": [
            [record.id, record.shape, record.group, record.split, record.content_hash]
            for record in project.images()
        ],
        "masks": describe_masks(project),
        "done": sorted(project.done_images()),
        "classes": project.classes(),
        "place": project.place(),
        "versions": [info.version for info in project.versions()],
        "promotions": [[p.version, p.report] for p in project.promotions()],
        "in use": project.current_version,
        "tensors": {name: hash_of(tensor.numpy()) for name, tensor in sorted(tensors.items())},
        "info": info,
        "surfaces": sorted(project.surfaces_of(project.current_version).descriptions),
    }
    return json.loads(json.dumps(told))


def answers_of(predictor: Predictor, image: np.ndarray) -> dict[str, Proposal]:
    predictor.set_image(image)
    return {name: predictor.propose(prompt) for name, prompt in ASKED.items()}


def assert_answered_as_then(answers: dict[str, Proposal], version: str) -> None:
    for name, answer in answers.items():
        with Image.open(MADE / "answers" / version / f"{name}.png") as then:
            assert iou(answer.mask, np.asarray(then)) > 0.99, (version, name)


def test_every_record_is_as_it_was_and_every_mask_to_the_byte(project: Project) -> None:
    assert describe(project) == json.loads((MADE / "described.json").read_text(encoding="utf-8"))
    for record in project.images():
        assert content_hash(project.read_image(record.id)) == record.content_hash


def test_its_weights_are_put_in_use_and_answer(project: Project) -> None:
    torch.set_num_threads(1)
    predictor, image = Predictor.from_checkpoint("starter", "cpu"), project.read_image("im 1.png")
    version = project.current_version
    of_base = answers_of(predictor, image)
    with Session(project, predictor, recall=False, instant=False, zoom=False) as session:
        assert session.notice is None
        assert session.weights_version == version
        session.open_image(image, "im 1.png", path=project.path.parent / "images" / "im 1.png")
        shown = session.propose(ASKED["a pit"])
        assert shown.weights_version == version
        of_version = answers_of(predictor, image)
        accepted = session.accept(label="pit")
    assert Project.open(project.path).annotation(accepted.id).weights_version == version
    assert_answered_as_then(of_base, "base")
    assert_answered_as_then(of_version, "in use")
    for name, answer in of_version.items():
        assert np.abs(answer.logits - of_base[name].logits).max() > 0.5

    there, tuned = open_tuned(MADE / "weights.safetensors", device="cpu")
    there.weights.load(tuned.tensors, tuned.version)
    for name, answer in answers_of(there, image).items():
        np.testing.assert_array_equal(answer.mask, of_version[name].mask)
