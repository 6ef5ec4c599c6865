"""Graphs answer as torch does: any number of clicks, masks fed back, adapters merged."""

import sys

import numpy as np
import onnxruntime
import pytest
import torch
from exporting import export, tuned_project
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.models.checkpoints import load_model
from napari_sam_tune.core.models.network import Network
from napari_sam_tune.formats.weights import graphs

SIZE = (150, 110)
"""(H, W) of the image that the prompts are about."""


def ordinary_sam():
    """Meta's own parts, small: an encoder with windows and relative positions."""
    torch.manual_seed(0)
    transformer = TwoWayTransformer(depth=1, embedding_dim=32, mlp_dim=32, num_heads=2)
    encoder = ImageEncoderViT(
        img_size=64, embed_dim=32, depth=2, num_heads=2, out_chans=32, use_rel_pos=True,
        window_size=3, global_attn_indexes=(1,),
    )  # fmt: skip
    decoder = MaskDecoder(transformer_dim=32, transformer=transformer, iou_head_hidden_dim=32)
    prompts = PromptEncoder(32, (4, 4), (64, 64), 8)
    sam = Sam(encoder, prompts, decoder).eval()
    for parameter in sam.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return sam


@torch.no_grad()
def answers(sam, pixels, points, box, mask):
    """What torch answers: embedding, masks at the image's size, IoUs, low-resolution logits."""
    features = sam.image_encoder(sam.preprocess(pixels))
    sparse, dense = sam.prompt_encoder(points, box, mask)
    positions = sam.prompt_encoder.get_dense_pe()
    logits, ious = sam.mask_decoder.predict_masks(features, positions, sparse, dense)
    full = sam.postprocess_masks(logits, tuple(pixels.shape[-2:]), SIZE)
    return [tensor.numpy() for tensor in (features, full, ious, logits)]


def prompts(sam):
    """Clicks of several numbers, some on one place, with and without box and earlier answer."""
    generator = torch.Generator().manual_seed(0)
    side = sam.image_encoder.img_size
    earlier = torch.randn(1, 1, *sam.prompt_encoder.mask_input_size, generator=generator) * 4
    for count, boxed, fed_back in ((1, False, False), (7, False, True), (2, True, False)):
        coords = torch.rand(1, count, 2, generator=generator) * side * 0.7
        coords[:, -1] = coords[:, 0] + side / 128
        labels = torch.tensor([[float(i % 2 == 0) for i in range(count)]])
        box = torch.tensor([[side * 0.1, side * 0.2, side * 0.6, side * 0.5]]) if boxed else None
        yield coords, labels, box, earlier if fed_back else None


def as_inputs(sam, features, coords, labels, box, mask):
    """The decoder's inputs by name: a box is two points, none is a point of padding."""
    more = torch.zeros(1, 1, 2) if box is None else box.reshape(1, 2, 2)
    kinds = torch.tensor([[-1.0]] if box is None else [[2.0, 3.0]])
    none = torch.zeros(1, 1, *sam.prompt_encoder.mask_input_size)
    values = (
        torch.from_numpy(features),
        torch.cat([coords, more], 1),
        torch.cat([labels, kinds], 1),
        none if mask is None else mask,
        torch.tensor([float(mask is not None)]),
        torch.tensor([float(length) for length in SIZE]),
    )
    return dict(zip(graphs.DECODER_INPUTS, values, strict=True))


def assert_the_same(sam, encode, decode):
    """Compare with torch; `encode` and `decode` take tensors by name and return arrays."""
    side = sam.image_encoder.img_size
    for (coords, labels, box, mask), width in zip(prompts(sam), (110, 110, 150), strict=True):
        shape = (side, round(side * width / 150))
        pixels = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(1)) * 255
        features, full, ious, logits = answers(sam, pixels, (coords, labels), box, mask)
        assert np.abs(logits).max() > 1
        (embedding,) = encode({"image": pixels})
        np.testing.assert_allclose(embedding, features, atol=1e-3)
        inputs = as_inputs(sam, features, coords, labels, box, mask)
        got = dict(zip(graphs.DECODER_OUTPUTS, decode(inputs), strict=True))
        np.testing.assert_allclose(got["low_res_masks"], logits, atol=1e-3)
        np.testing.assert_allclose(got["iou_predictions"], ious, atol=1e-3)
        if width == 110:
            np.testing.assert_allclose(got["masks"], full, atol=1e-3)


def in_onnxruntime(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    return lambda inputs: session.run(None, {name: t.numpy() for name, t in inputs.items()})


def in_torch(path):
    program = torch.export.load(path).module()

    def run(inputs):
        answer = program(*inputs.values())
        return [t.detach().numpy() for t in (answer if isinstance(answer, tuple) else (answer,))]

    return run


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, at_128_px):
    """A project, and a predictor that answers with its version in use."""
    model = load_model("starter")
    project, tensors = tuned_project(tmp_path_factory.mktemp("tuned") / "p", model.ref, model.sam)
    predictor = Predictor(model)
    predictor.weights.load(tensors, "tuned")
    return project, predictor


@pytest.fixture(scope="module")
def traced():
    """What was traced of the tuned starter: that takes longer than all that comes after it."""
    return {}


@pytest.fixture
def _traced_once(traced, monkeypatch):
    for name in ("encoder_program", "decoder_program"):
        trace = getattr(graphs, name)

        def trace_once(network, name=name, trace=trace):
            if name not in traced:
                traced[name] = trace(network)
            return traced[name]

        monkeypatch.setattr(graphs, name, trace_once)


@pytest.mark.usefixtures("_traced_once")
def test_onnx_of_a_tuned_starter(tuned, tmp_path):
    project, predictor = tuned
    out = tmp_path / "graphs"
    assert export(project, out, "--format", "onnx").exit_code == 0
    assert {file.name for file in out.iterdir()} == {"encoder.onnx", "decoder.onnx", "README.md"}
    encode, decode = in_onnxruntime(out / "encoder.onnx"), in_onnxruntime(out / "decoder.onnx")
    assert_the_same(predictor.sam, encode, decode)
    again = export(project, out, "--format", "onnx")
    assert "exists already" in str(again.exception)


@pytest.mark.usefixtures("_traced_once")
def test_torch_export_of_a_tuned_starter(tuned, tmp_path):
    project, predictor = tuned
    assert export(project, tmp_path / "m.pt2", "--format", "pt2").exit_code == 0
    encoder, decoder = tmp_path / "m_encoder.pt2", tmp_path / "m_decoder.pt2"
    assert_the_same(predictor.sam, in_torch(encoder), in_torch(decoder))
    assert decoder.stat().st_size < encoder.stat().st_size / 2
    assert 'torch.export.load("m_decoder.pt2")' in (tmp_path / "m.pt2.md").read_text()


def test_onnx_of_an_ordinary_sam(tmp_path):
    sam = ordinary_sam()
    encoder, decoder = tmp_path / "e.onnx", tmp_path / "d.onnx"
    graphs.write_onnx(Network(sam), encoder, decoder)
    assert_the_same(sam, in_onnxruntime(encoder), in_onnxruntime(decoder))


def test_without_onnx_it_is_said_how_to_get_it(tuned, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    project, _ = tuned
    refused = export(project, tmp_path / "graphs", "--format", "onnx")
    assert "pip install" in str(refused.exception)
    assert not any(tmp_path.iterdir())


def test_a_missing_base_model_is_not_taken_for_a_full_disk(tuned, tmp_path, monkeypatch):
    project, _ = tuned
    monkeypatch.setattr(
        "napari_sam_tune.core.models.checkpoints.starter_path",
        lambda: tmp_path / "gone.safetensors",
    )
    with pytest.raises(FileNotFoundError, match="starter's weights are missing"):
        raise export(project, tmp_path / "m.pth").exception
