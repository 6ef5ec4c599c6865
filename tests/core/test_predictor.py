"""Predictor: equal to segment-anything's, at home on any image, new weights all or nothing."""

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from napari_sam_tune import Predictor, Prompt, SamTuneError
from napari_sam_tune.core.errors import CheckpointError, ImageError, MaskError, PromptError
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import LoadedModel
from napari_sam_tune.core.models.starter import set_image_size


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def starter():
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    set_image_size(predictor.sam, 256)
    return predictor


@pytest.fixture(scope="module")
def official():
    """Meta's own parts with random weights: ViT-B's decoder and widths, one block, 256 px."""
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=256, embed_dim=768, depth=1, num_heads=12, out_chans=256, use_rel_pos=True,
        window_size=14, qkv_bias=True,
    )  # fmt: skip
    transformer = TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    decoder = MaskDecoder(transformer_dim=256, transformer=transformer)
    sam = Sam(encoder, PromptEncoder(256, (16, 16), (256, 256), 16), decoder).eval()
    return Predictor(LoadedModel(sam, BaseRef("vit_b", "0" * 64), "vit_b"))


@pytest.fixture(params=["starter", "official"])
def predictor(request):
    return request.getfixturevalue(request.param)


def picture(height, width, seed=0):
    """A grey square on a bright ground with grain: (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    image = rng.integers(150, 190, (height, width, 3), dtype=np.uint8)
    image[height // 4 : height // 2 + 1, width // 4 : width // 2 + 1] = 60
    return image


def bare(reference, multimask, **prompt):
    """What SamPredictor says, best first: masks, IoU estimates, logits."""
    masks, ious, logits = reference.predict(multimask_output=multimask, **prompt)
    order = np.argsort(-ious, kind="stable")
    return masks[order], ious[order], logits[order]


def assert_equal(proposal, expected):
    masks, ious, logits = expected
    np.testing.assert_array_equal([mask for mask, _ in proposal.candidates], masks)
    np.testing.assert_array_equal([iou for _, iou in proposal.candidates], ious)
    np.testing.assert_array_equal(proposal.logits, logits)
    assert proposal.placed is proposal.placed_candidates[0][0]
    assert proposal.iou == proposal.candidates[0][1]


@pytest.mark.parametrize("shape", [(90, 131), (131, 90), (7, 1000)])
def test_answers_equal_sam_predictors(predictor, shape):
    image = picture(*shape)
    height, width = shape
    x, y = width * 0.4, height * 0.4
    box = (1.0, 1.0, width * 0.6, height * 0.7)
    mask = image[..., 0] < 100
    predictor.set_image(image)
    reference = SamPredictor(predictor.sam)
    reference.set_image(image)

    first = predictor.propose(Prompt([(x, y)], [1]))
    click = {"point_coords": np.array([[x, y]]), "point_labels": np.array([1])}
    assert len(first.candidates) == 3
    assert_equal(first, bare(reference, True, **click))

    two = {"point_coords": np.array([[x, y], [0, 0]]), "point_labels": np.array([1, 0])}
    corrected = predictor.propose(Prompt([(x, y), (0, 0)], [1, 0]), previous=first)
    assert len(corrected.candidates) == 1
    assert_equal(corrected, bare(reference, False, **two, mask_input=first.logits[:1]))

    third = predictor.propose(Prompt([(x, y), (0, 0)], [1, 0]), previous=first.choose(2))
    assert_equal(third, bare(reference, False, **two, mask_input=first.logits[2:]))

    boxed = predictor.propose(Prompt(box=box))
    assert_equal(boxed, bare(reference, False, box=np.array(box)))

    both = predictor.propose(Prompt([(x, y)], [1], box=box, mask=mask))
    size = 4 * predictor.sam.prompt_encoder.image_embedding_size[0]
    grown = Frame(whole(shape), predictor.input_side, size).mask_to_logits(mask)
    assert_equal(both, bare(reference, False, **click, box=np.array(box), mask_input=grown))


def test_a_mask_prompt_is_fed_where_it_lies(starter):
    mask = np.zeros((100, 200), bool)
    mask[:50, :100] = True
    logits = Frame(whole(mask.shape), 512, 256).mask_to_logits(mask)
    assert logits.shape == (1, 256, 256)
    assert logits.dtype == np.float32
    # 200 px wide → 256 cells wide, 128 high: the quarter is 128 × 64 cells, the rest is outside
    inside = logits[0] > 0
    assert inside[:63, :127].all()
    assert not inside[65:].any()
    assert not inside[:, 129:].any()
    assert logits.max() == -logits.min() == pytest.approx(6.9, abs=0.05)


def test_through_the_fp16_cache_answers_stay_close(starter):
    image = picture(120, 160)
    starter.set_image(image)
    fresh = starter.propose(Prompt([(60, 45)], [1], box=(35, 25, 85, 65)))
    cached = starter.encode(image).embedding
    assert cached.features.dtype == np.float16
    assert cached.original_size == (120, 160)
    starter.set_image(image, cached)
    again = starter.propose(fresh.prompt)
    assert np.abs(again.logits - fresh.logits).max() < 0.05 * np.abs(fresh.logits).max()
    assert np.mean(again.mask != fresh.mask) < 0.005


def test_embedding_another_image_leaves_the_open_one(starter):
    starter.set_image(picture(60, 80))
    before = starter.propose(Prompt([(30, 20)], [1]))
    starter.encode(picture(50, 50, seed=1))
    assert starter.image_shape == (60, 80)
    np.testing.assert_array_equal(starter.propose(before.prompt).logits, before.logits)
    np.testing.assert_array_equal(
        starter.view.embedding.features, starter.encode(picture(60, 80)).embedding.features
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 1), np.uint8),
        np.ones((1, 5000), np.uint8),
        np.zeros((5000, 1, 3), np.uint8),
        np.full((20, 30), np.nan),
        np.linspace(-5, 5e6, 600).reshape(20, 30),
        np.eye(20, 30, dtype=bool),
        np.zeros((20, 30, 4), np.uint16),
        np.zeros((3, 20, 30), np.float32),
        np.zeros((8000, 8000), np.uint8),
    ],
    ids=lambda image: f"{image.shape}-{image.dtype}",
)
def test_any_image_gets_an_answer_of_its_own_size(starter, image):
    shape = image.shape[1:] if image.ndim == 3 and image.shape[0] == 3 else image.shape[:2]
    starter.set_image(image)
    assert starter.image_shape == shape
    proposal = starter.propose(Prompt([(0, 0)], [1]))
    assert [mask.shape for mask, _ in proposal.candidates] == [shape] * 3
    assert proposal.mask.dtype == bool
    assert np.isfinite(proposal.logits).all()
    corrected = starter.propose(Prompt([(0, 0)], [1], mask=proposal.mask), previous=proposal)
    assert corrected.mask.shape == shape


def test_a_thousand_contradicting_points_are_answered(starter):
    starter.set_image(picture(60, 80))
    rng = np.random.default_rng(0)
    points = rng.random((550, 2)) * (79, 59)
    prompt = Prompt([*points, *points], [1] * 550 + [0] * 550)
    assert starter.propose(prompt).mask.shape == (60, 80)


def test_bad_prompts_and_embeddings_say_what_is_wrong(starter):
    image = picture(60, 80)
    starter.set_image(image)
    with pytest.raises(PromptError, match="outside the image"):
        starter.propose(Prompt([(70, 70)], [1]))
    with pytest.raises(PromptError, match="outside the image"):
        starter.propose(Prompt(box=(100, 100, 120, 120)))
    with pytest.raises(MaskError, match="60 × 80"):
        starter.propose(Prompt(mask=np.ones((10, 10), bool)))
    with pytest.raises(ImageError, match="encode the image anew"):
        starter.set_image(image, starter.encode(image[:50]).embedding)
    assert starter.image_shape == (60, 80)


def test_without_an_image_it_says_so():
    fresh = Predictor.from_checkpoint("starter", device="cpu")
    with pytest.raises(SamTuneError, match="No image is open"):
        fresh.propose(Prompt([(0, 0)], [1]))


def tuned(predictor, part, seed):
    """The tensors of one part, changed a little."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor + 0.05 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in predictor.sam.state_dict().items()
        if name.startswith(part)
    }


def test_hot_swap_replaces_restores_and_keeps_the_embedding():
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    predictor.set_image(picture(60, 80))
    prompt = Prompt([(30, 20)], [1])
    key, base = predictor.weights.encoder_key, predictor.propose(prompt)
    heads = tuned(predictor, "mask_decoder.iou_prediction_head", 1)
    decoder = tuned(predictor, "mask_decoder", 2)

    predictor.weights.load(decoder, "aaaaaaaaaaaa")
    first = predictor.propose(prompt)
    assert first.weights_version == predictor.weights.version == "aaaaaaaaaaaa"
    assert not np.array_equal(first.logits, base.logits)
    assert predictor.weights.encoder_key == key

    predictor.weights.load(heads, "bbbbbbbbbbbb")  # the rest of the decoder goes back to the base
    second = predictor.propose(prompt)
    assert sorted(map(tuple, second.logits.reshape(3, -1))) == sorted(
        map(tuple, base.logits.reshape(3, -1))
    )
    assert sorted(iou for _, iou in second.candidates) != sorted(iou for _, iou in base.candidates)

    predictor.weights.load_base()
    again = predictor.propose(prompt)
    assert again.weights_version == "base"
    np.testing.assert_array_equal(again.logits, base.logits)


def test_weights_that_do_not_fit_change_nothing():
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    predictor.set_image(picture(60, 80))
    prompt = Prompt([(30, 20)], [1])
    predictor.weights.load(tuned(predictor, "mask_decoder", 1), "aaaaaaaaaaaa")
    before = predictor.propose(prompt)
    good = tuned(predictor, "mask_decoder", 2)
    name = next(iter(good))
    for bad, complaint in [
        ({**good, "no.such.part": torch.zeros(1)}, "no.such.part"),
        ({**good, name: torch.zeros(3, 3)}, r"\(3, 3\)"),
        ({**good, name: torch.full_like(good[name], float("nan"))}, "not finite"),
    ]:
        with pytest.raises(CheckpointError, match=complaint):
            predictor.weights.load(bad, "cccccccccccc")
        after = predictor.propose(prompt)
        assert after.weights_version == "aaaaaaaaaaaa"
        np.testing.assert_array_equal(after.logits, before.logits)
    # finite, although their sum is not
    predictor.weights.load({name: torch.full_like(good[name], 3e38)}, "dddddddddddd")


def test_a_tuned_encoder_has_its_own_key_and_closes_the_image():
    predictor = Predictor.from_checkpoint("starter", device="cpu")
    predictor.set_image(picture(60, 80))
    key = predictor.weights.encoder_key
    predictor.weights.load(tuned(predictor, "image_encoder.neck", 1), "aaaaaaaaaaaa")
    assert predictor.weights.encoder_key != key
    with pytest.raises(SamTuneError, match="No image is open"):
        predictor.propose(Prompt([(0, 0)], [1]))
    predictor.weights.load_base()
    assert predictor.weights.encoder_key == key
