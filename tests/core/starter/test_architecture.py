"""The starter is a Sam: shapes, names and the file it is stored in."""

from __future__ import annotations

import pytest
import torch
from segment_anything import SamPredictor
from segment_anything.modeling import PromptEncoder
from segment_anything.modeling.image_encoder import Attention

from napari_sam_tune.core.models.starter import (
    CLICK_LOGIT,
    EMBED_DIM,
    NECK,
    STRIDE,
    FusedAttention,
    build_starter,
)
from napari_sam_tune.starter.prompting import (
    Prompts,
    boxes_of,
    correction,
    depth,
    embed,
    first_points,
)
from napari_sam_tune.starter.weights import load_starter_state, save_starter, starter_metadata


@pytest.fixture(scope="module")
def sam():
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return build_starter()


@pytest.mark.parametrize("size", [128, 512])
def test_embedding_has_stride_8_at_every_size(sam, size):
    with torch.no_grad():
        embedding = sam.image_encoder(torch.randn(1, 3, size, size))
    assert embedding.shape == (1, EMBED_DIM, size // STRIDE, size // STRIDE)
    assert embedding.isfinite().all()


def test_lora_finds_what_it_looks_for(sam):
    names = dict(sam.named_modules())
    fused = [layer for name, layer in names.items() if name.endswith(".attn.qkv")]
    assert len(fused) >= 2
    assert all(isinstance(layer, torch.nn.Linear) for layer in fused)
    assert all(layer.out_features == 3 * layer.in_features for layer in fused)
    assert NECK in names


def test_fused_attention_is_segment_anythings_with_its_gradients():
    theirs, ours = Attention(12, 3).double(), FusedAttention(12, 3).double()
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.randn(2, 5, 4, 12, dtype=torch.double)
    answers = []
    for attention in (theirs, ours):
        answer = attention(tokens)
        loss = answer.square().sum()
        answers.append([answer, *torch.autograd.grad(loss, attention.parameters())])
    torch.testing.assert_close(*answers)


def test_clicks_and_boxes_are_drawn_where_they_are(sam):
    encoder = sam.prompt_encoder
    coords = torch.tensor([[[100.0, 40.0], [300.0, 200.0]]])
    labels = torch.tensor([[1, 0]])
    answer = torch.full((1, 1, 256, 256), -3.0)
    for before, elsewhere in ((None, 0.0), (answer, -3.0)):
        drawn = encoder._painted(coords, labels, before)[0, 0]
        (row, col), found = (drawn > 0).nonzero().float().mean(0), int((drawn > 0).sum())
        assert 9 <= found <= 16  # a disc of radius 2
        assert (2 * col + 0.5, 2 * row + 0.5) == pytest.approx((100, 40), abs=1)
        assert int((drawn == -CLICK_LOGIT).sum()) in range(9, 17)
        assert drawn[0, 0] == elsewhere
    corners, kinds = torch.tensor([[[100.0, 40.0], [300.0, 200.0]]]), torch.tensor([[2, 3]])
    boxed = encoder._painted(corners, kinds, None)[0, 0]
    assert (boxed == 0).sum() == pytest.approx(100 * 80, rel=0.03)
    assert boxed[60, 100] == 0
    assert boxed[10, 100] < 0
    # without a prompt to draw it is segment-anything's
    plain = PromptEncoder.forward(encoder, None, None, answer)[1]
    torch.testing.assert_close(encoder(None, None, answer)[1], plain, atol=0, rtol=0)


def test_one_state_dict_serves_every_size(sam):
    small = build_starter(256)
    small.load_state_dict(sam.state_dict())
    for name, tensor in small.state_dict().items():
        torch.testing.assert_close(tensor, sam.state_dict()[name])


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 700, 3), (300, 200, 3)])
def test_segment_anythings_predictor_runs_on_it(sam, shape):
    predictor = SamPredictor(sam)
    image = torch.randint(0, 255, shape, dtype=torch.uint8).numpy()
    predictor.set_image(image)
    point = torch.zeros(1, 2).numpy()
    masks, quality, logits = predictor.predict(point, torch.ones(1).numpy())
    assert masks.shape == (3, *shape[:2])
    assert torch.isfinite(torch.from_numpy(logits)).all()
    assert torch.isfinite(torch.from_numpy(quality)).all()


def test_prompts_as_tokens_are_embedded_as_segment_anything_does(sam):
    coords = torch.tensor([[[5.0, 9.0]], [[60.0, 100.0]]])
    padded = Prompts(
        torch.cat([coords, torch.zeros(2, 1, 2)], dim=1), torch.tensor([[1, -1], [1, -1]])
    )
    with torch.no_grad():
        sparse, _ = sam.prompt_encoder((coords, torch.ones(2, 1)), None, None)
        torch.testing.assert_close(embed(sam.prompt_encoder, padded), sparse)


def test_weights_come_back_as_they_were(sam, tmp_path):
    path = tmp_path / "starter.safetensors"
    save_starter(sam, path, {"steps": "7"})
    state = load_starter_state(path)
    assert starter_metadata(path)["steps"] == "7"
    assert path.stat().st_size < 20e6
    for name, tensor in sam.state_dict().items():
        assert state[name].dtype == torch.float32
        torch.testing.assert_close(state[name], tensor, atol=1e-3, rtol=1e-3)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_starter_state(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not a model at all")
    with pytest.raises(ValueError, match="other"):
        load_starter_state(other)


def test_clicks_fall_where_they_should():
    truth = torch.zeros(2, 64, 64, dtype=torch.bool)
    truth[0, 10:30, 20:50] = True
    truth[1, :9, :9] = True
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        points = first_points(truth, generator).coords[:, 0]
        cells = (points / 2).long()
        assert truth[[0, 1], cells[:, 1], cells[:, 0]].all()
    deepest = depth(truth).flatten(1).argmax(1)
    row, column = int(deepest[0]) // 64, int(deepest[0]) % 64
    assert 14 <= row < 26
    assert 28 <= column < 42
    assert boxes_of(truth)[0].tolist() == [40, 20, 99, 59]
    predicted = truth.clone()
    predicted[0, 12:28, 20:40] = False
    predicted[1, 40:60, 40:60] = True
    coords, labels = correction(predicted, truth, generator)
    assert labels.tolist() == [1, 0]
    cells = (coords / 2).long()
    assert (predicted ^ truth)[[0, 1], cells[:, 1], cells[:, 0]].all()
