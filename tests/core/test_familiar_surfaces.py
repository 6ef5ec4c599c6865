"""Tuned weights answer on surfaces they have learnt from; the base model answers on others."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_sam_tune import Predictor, Project, Prompt, Session, TrainConfig
from napari_sam_tune.core.images.files import to_rgb8
from napari_sam_tune.core.images.surfaces import FamiliarSurfaces, describe
from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.core.models.weights_file import read_surfaces, read_weights, write_weights
from napari_sam_tune.starter.materials import FAMILIES, make_sample

CLICK = Prompt([(60, 60)], [1])


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@cache
def photograph(family, index):
    """A sample part, (H, W, 3) uint8, and the labels (H, W) of its flaws."""
    number = [known.name for known in FAMILIES].index(family)
    image, labels = make_sample(np.random.default_rng([5, number, index]), FAMILIES[number], index)
    return to_rgb8(image), labels


def pixels(family, index):
    return photograph(family, index)[0]


@cache
def description(family, index):
    return describe(pixels(family, index))


def learnt_from(*images):
    return FamiliarSurfaces({str(i): describe(image) for i, image in enumerate(images)})


@given(
    arrays.arrays(
        np.uint8,
        st.tuples(st.integers(1, 300), st.integers(1, 300)),
        elements=st.sampled_from([0, 1, 128, 255]),
        fill=st.sampled_from([0, 128, 255]),
    )
)
def test_any_image_can_be_described_and_is_like_itself(grey):
    image = to_rgb8(grey)
    shown = describe(image)
    assert shown.shape == (44,)
    assert np.isfinite(shown).all()
    assert learnt_from(image).include(shown)
    assert not FamiliarSurfaces({}).include(shown)


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_a_surface_is_known_again_and_told_from_others(family):
    known = FamiliarSurfaces({str(index): description(family, index) for index in range(5)})
    again = [known.include(description(family, index)) for index in range(5, 12)]
    others = [
        known.include(description(other.name, index))
        for other in FAMILIES
        for index in range(4)
        if other.name != family
    ]
    assert np.mean(again) >= 0.8
    assert np.mean(others) <= 0.1


def test_a_surface_that_changes_slowly_stays_familiar():
    steps = [np.full(44, 0.06 * k, np.float32) for k in range(12)]  # 0.4 apart
    known = FamiliarSurfaces({"0": steps[0], "1": steps[1]})
    since = FamiliarSurfaces({str(k): step for k, step in enumerate(steps)})
    assert [known.include(step) for step in steps[:4]] == [True, True, True, False]
    assert known.grown(since).descriptions.keys() == since.descriptions.keys()
    gap = FamiliarSurfaces({str(k): steps[k] for k in (2, 3, 6, 7)})
    assert known.grown(gap).descriptions.keys() == {"0", "1", "2", "3"}


def test_a_weights_file_says_which_surfaces_it_is_for(tmp_path):
    tensors = {"mask_decoder.iou_token.weight": torch.zeros(1, 4)}
    surfaces = learnt_from(pixels("tile", 0), pixels("tile", 1))
    version = write_weights(tmp_path / "some.safetensors", tensors, {"a": 1}, surfaces)
    assert version == write_weights(tmp_path / "all.safetensors", tensors, {"a": 1})
    assert read_surfaces(tmp_path / "all.safetensors") is None
    found = read_surfaces(tmp_path / "some.safetensors").descriptions
    assert found.keys() == surfaces.descriptions.keys()
    for name, description in surfaces.descriptions.items():
        np.testing.assert_allclose(found[name], description, atol=1e-4)
    kept, info = read_weights(tmp_path / "some.safetensors")
    assert (kept.keys(), info) == (tensors.keys(), {"a": 1})


@pytest.mark.parametrize("part", ["image_encoder.neck", "mask_decoder"])
def test_the_predictor_answers_from_the_weights_that_know_the_surface(part):
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    set_image_size(predictor.sam, 256)
    tile, more_tile, cloth = pixels("tile", 0), pixels("tile", 1), pixels("cloth", 0)
    generator = torch.Generator().manual_seed(1)
    tuned = {
        name: tensor + 0.05 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in predictor.sam.state_dict().items()
        if name.startswith(part)
    }

    def answer(image):
        predictor.set_image(image)
        return predictor.propose(CLICK)

    of_base = {"tile": answer(more_tile), "cloth": answer(cloth)}
    base_key = predictor.weights.encoder_key
    predictor.weights.load(tuned, "aaaaaaaaaaaa")
    of_tuned, tuned_key = answer(more_tile), predictor.weights.encoder_key
    assert not np.array_equal(of_tuned.logits, of_base["tile"].logits)

    predictor.weights.load_base()
    predictor.set_image(cloth)
    predictor.weights.load(tuned, "aaaaaaaaaaaa", learnt_from(tile))
    assert predictor.weights.loaded_version == "aaaaaaaaaaaa"
    assert predictor.has_image  # nothing about the image that is open has changed
    ahead = predictor.encode(more_tile).embedding  # the next image is encoded by the weights for it
    assert predictor.weights.encoder_key_for(more_tile) == tuned_key
    assert predictor.weights.encoder_key == predictor.weights.encoder_key_for(cloth) == base_key
    shown = predictor.propose(CLICK)
    assert shown.weights_version == "base"
    np.testing.assert_array_equal(shown.logits, of_base["cloth"].logits)

    shown = answer(more_tile)
    assert shown.weights_version == "aaaaaaaaaaaa"
    np.testing.assert_array_equal(shown.logits, of_tuned.logits)
    np.testing.assert_array_equal(predictor.view.embedding.features, ahead.features)
    np.testing.assert_array_equal(answer(cloth).logits, of_base["cloth"].logits)


@pytest.mark.usefixtures("at_128_px")
def test_a_new_surface_is_answered_by_the_base_until_a_round_has_learnt_it(tmp_path):
    config = TrainConfig(
        steps=1, batch_size=1, judge_objects=2, look_objects=0, robot_clicks=2, corrections=1,
        parts=("mask_decoder",),
    )  # fmt: skip
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    plain = {"zoom": False, "recall": False, "instant": False}
    with Session(Project.open(tmp_path / "p"), predictor, config=config, **plain) as session:

        def label(family, index):
            """Accept two flaws of a photograph; return whose proposals they were."""
            image, labels = photograph(family, index)
            session.open_image(image, f"{family}{index}.png", group=f"{family}{index}")
            for number in (1, 2):
                y, x = np.argwhere(labels == number)[0]
                proposal = session.propose(Prompt([(x, y)], [1]))
                session.accept(mask=labels == number, label="flaw")
            assert session.state.is_surface_new == (
                proposal.weights_version != session.weights_version
            )
            return proposal.weights_version

        def learn():
            version = session.fine_tune().candidate
            session.rollback(version)  # in use, whatever the gate makes of one step
            return version

        for index in range(4):
            assert label("tile", index) == "base"
        of_tile = learn()
        assert label("tile", 4) == of_tile
        assert label("concrete", 0) == "base"
        of_both = learn()
        assert label("concrete", 1) == of_both
        session.rollback(of_tile)
        assert label("concrete", 2) == "base"
        assert {row.version for row in session.effort()} == {"base", of_tile, of_both}
