"""The quick decoder answers, and learns, as segment-anything's does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segment_anything.modeling import MaskDecoder, TwoWayTransformer

from napari_sam_tune.core.config import LoraConfig
from napari_sam_tune.core.models.architectures import build_model
from napari_sam_tune.core.models.lora import Adapters
from napari_sam_tune.core.models.mask_decoder import QuickMaskDecoder
from napari_sam_tune.core.models.starter import build_starter
from napari_sam_tune.core.models.tiny_vit import build_vit_t


def decoder_of(width, heads, depth):
    """Meta's decoder with every parameter, biases and norms too, away from where it starts."""
    transformer = TwoWayTransformer(depth=depth, embedding_dim=width, mlp_dim=24, num_heads=heads)
    decoder = MaskDecoder(transformer_dim=width, transformer=transformer).double()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return decoder


def asked(width, prompts, tokens, grid, images):
    """What a decoder is given."""
    return {
        "image_embeddings": torch.randn(images, width, *grid).double(),
        "image_pe": torch.randn(1, width, *grid).double(),
        "sparse_prompt_embeddings": torch.randn(prompts, tokens, width).double(),
        "dense_prompt_embeddings": torch.randn(prompts, width, *grid).double(),
    }


def learnt(predict, decoder, given):
    """Masks, IoUs, and the gradients of everything that could learn."""
    inputs = {name: tensor.clone().requires_grad_() for name, tensor in given.items()}
    decoder.zero_grad()
    masks, ious = predict(decoder, **inputs)
    weights = torch.linspace(-1, 1, masks.numel(), dtype=masks.dtype).view_as(masks)
    ((masks * weights).sum() + ious.sum()).backward()
    learning = [*decoder.parameters(), *inputs.values()]
    # the bias of keys changes nothing: its gradient is 0 there, and there is none here
    gradients = [torch.zeros_like(x) if x.grad is None else x.grad for x in learning]
    return [masks, ious, *gradients]


@settings(max_examples=15)
@given(
    shape=st.sampled_from([(8, 1, 1), (16, 2, 2), (32, 8, 1)]),
    prompts=st.integers(1, 3),
    tokens=st.integers(1, 9),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 99),
)
def test_answers_and_gradients_are_segment_anythings(shape, prompts, tokens, grid, seed):
    torch.manual_seed(seed)
    quick = QuickMaskDecoder.of(decoder_of(*shape))
    given = asked(shape[0], prompts, tokens, grid, images=1)
    ways = MaskDecoder.predict_masks, QuickMaskDecoder.predict_masks
    for theirs, ours in zip(*(learnt(way, quick, given) for way in ways), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def test_prompts_on_images_of_their_own_are_answered_each_on_its_own():
    torch.manual_seed(0)
    quick = QuickMaskDecoder.of(decoder_of(16, 2, 2))
    given = asked(16, 2, 4, (3, 5), images=2)
    with torch.no_grad():
        together = quick.predict_masks(**given)
        for i in range(2):
            one = {n: t if n == "image_pe" else t[i : i + 1] for n, t in given.items()}
            for all_of_them, alone in zip(together, quick.predict_masks(**one), strict=True):
                torch.testing.assert_close(all_of_them[i : i + 1], alone)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_adapters_are_seen_through(dropout):
    config = LoraConfig(rank=2, alpha=6, targets=("decoder",), dropout=dropout)
    torch.manual_seed(0)
    sam = build_starter(64).double()
    given = asked(128, 2, 4, (8, 8), images=1)
    adapters = Adapters.of(sam, config, seed=0)
    for parameter in adapters.parameters.values():
        torch.nn.init.normal_(parameter, std=0.1)
    for module in adapters.layers.values():
        module.double()
    with adapters.within(sam), torch.no_grad():
        adapted = sam.mask_decoder.predict_masks(**given)
        own = MaskDecoder.predict_masks(sam.mask_decoder, **given)
        for ours, theirs in zip(adapted, own, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def test_a_model_whose_builder_knows_nothing_of_it_has_it_when_loaded(tmp_path):
    sam = build_vit_t()
    assert type(sam.mask_decoder) is MaskDecoder
    loaded = build_model("vit_t", sam.state_dict(), tmp_path)
    assert isinstance(loaded.mask_decoder, QuickMaskDecoder)
