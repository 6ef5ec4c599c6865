"""Adapters: the model itself at first, ordinary weights at the end, small in between."""

import copy

import pytest
import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import LoraConfig
from napari_sam_tune.core.errors import CheckpointError, TrainingError
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import LoadedModel
from napari_sam_tune.core.models.lora import Adapters, merged, scale_adapters
from napari_sam_tune.core.models.starter import StarterEncoder, build_starter
from napari_sam_tune.core.models.trunk import in_halves

EVERYTHING = LoraConfig(rank=2, alpha=6, targets=("q", "k", "v", "mlp", "decoder"))


@pytest.fixture
def sam():
    torch.manual_seed(0)
    return build_starter(64).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def vit():
    """SAM's own encoder in small: windowed and global attention, a neck."""
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=64, embed_dim=32, depth=3, num_heads=2, out_chans=16, use_rel_pos=True,
        window_size=2, global_attn_indexes=(1,),
    )  # fmt: skip
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return encoder.eval().requires_grad_(False)


def answered(sam, pixels):
    """What the whole model draws for one click."""
    points = torch.tensor([[[20.0, 30.0]]]), torch.ones(1, 1)
    with torch.no_grad():
        features = sam.image_encoder(pixels)
        sparse, dense = sam.prompt_encoder(points=points, boxes=None, masks=None)
        positions = sam.prompt_encoder.get_dense_pe()
        return sam.mask_decoder(features, positions, sparse, dense, True)[0]


def stirred(adapters):
    """Fill B, which is zero at first."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in adapters.parameters.items():
            if ".lora_B." in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)


def test_an_adapted_model_is_itself_at_first_and_merges_into_what_it_became(sam):
    pixels = torch.randn(1, 3, 64, 64)
    before_it = answered(sam, pixels)
    names = set(sam.state_dict())
    adapters = Adapters.of(sam, EVERYTHING, seed=0)
    with adapters.within(sam):
        assert torch.equal(answered(sam, pixels), before_it)
        stirred(adapters)
        adapted = answered(sam, pixels)
    assert (adapted - before_it).abs().max() > 0.1
    assert set(sam.state_dict()) == names
    assert torch.equal(answered(sam, pixels), before_it)

    tensors = scale_adapters(adapters.parameters, EVERYTHING)
    other = Predictor(LoadedModel(copy.deepcopy(sam), BaseRef("tiny", "7" * 64), "starter"))
    other.weights.load(tensors, "adapted")
    torch.testing.assert_close(answered(other.sam, pixels), adapted, atol=1e-4, rtol=1e-4)
    assert (answered(other.sam, pixels) > 0).equal(adapted > 0)
    other.weights.load_base()
    assert torch.equal(answered(other.sam, pixels), before_it)


@pytest.mark.parametrize("rank", [1, 4])
def test_adapters_of_q_and_v_hold_3072_numbers_a_rank_and_block_of_vit_b(rank):
    with torch.device("meta"):
        vit_b = sam_model_registry["vit_b"]()
    adapters = Adapters.of(vit_b, LoraConfig(rank=rank), seed=0)
    assert sum(p.numel() for p in adapters.parameters.values()) == 12 * 3072 * rank
    late = Adapters.of(vit_b, LoraConfig(rank=rank, blocks=3), seed=0)
    assert sum(p.numel() for p in late.parameters.values()) == 3 * 3072 * rank
    assert in_halves(vit_b.image_encoder, late.parameters).depth == 9


def test_a_rank_past_the_full_matrix_is_refused(sam):
    with pytest.raises(TrainingError, match=r"lora.rank to a small number"):
        Adapters.of(sam, LoraConfig(rank=512), seed=0)


def test_half_an_adapter_does_not_load(sam):
    adapters = scale_adapters(
        Adapters.of(sam, LoraConfig(rank=2), seed=0).parameters, LoraConfig(rank=2)
    )
    name = next(name for name in adapters if ".lora_B." in name)
    del adapters[name]
    with pytest.raises(CheckpointError, match="nothing to belong to"):
        merged(adapters, sam.state_dict())


@pytest.mark.parametrize("depth", range(4))
def test_a_trunk_and_what_comes_after_it_are_the_encoder(sam, vit, depth):
    pixels = torch.randn(2, 3, 64, 64)
    for encoder in (sam.image_encoder, vit):
        halves = in_halves(encoder, [f"image_encoder.blocks.{depth}.norm1.weight"])
        assert halves.depth == depth
        torch.testing.assert_close(halves.after(halves.before(pixels)), encoder(pixels))


def test_how_deep_a_trunk_may_be(sam):
    encoder = sam.image_encoder
    assert isinstance(encoder, StarterEncoder)
    assert in_halves(encoder, ["mask_decoder.x", "image_encoder.neck.0.weight"]).depth == 3
    assert in_halves(encoder, ["image_encoder.blocks.1.norm1.weight"]).depth == 1
    assert in_halves(encoder, ["image_encoder.stage2.0.weight"]) is None
