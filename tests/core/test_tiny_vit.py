"""MobileSAM: its encoder's numbers, and files of its real shape going in and out."""

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from napari_sam_tune.core.errors import CheckpointError
from napari_sam_tune.core.models.checkpoints import load_model, save_sam_checkpoint
from napari_sam_tune.core.models.tiny_vit import TinyViTEncoder, build_vit_t

KNOWN = {
    "image_encoder.patch_embed.seq.0.c.weight": (32, 3, 3, 3),
    "image_encoder.patch_embed.seq.2.bn.running_var": (64,),
    "image_encoder.layers.0.blocks.1.conv2.c.weight": (256, 1, 3, 3),
    "image_encoder.layers.0.downsample.conv3.bn.bias": (128,),
    "image_encoder.layers.1.blocks.0.attn.attention_biases": (4, 49),
    "image_encoder.layers.2.blocks.5.attn.attention_biases": (5, 196),
    "image_encoder.layers.2.blocks.5.local_conv.c.weight": (160, 1, 3, 3),
    "image_encoder.layers.2.downsample.conv2.c.weight": (320, 1, 3, 3),
    "image_encoder.layers.3.blocks.1.attn.qkv.weight": (960, 320),
    "image_encoder.layers.3.blocks.1.mlp.fc2.weight": (320, 1280),
    "image_encoder.norm_head.weight": (320,),
    "image_encoder.head.weight": (1000, 320),
    "image_encoder.neck.2.weight": (256, 256, 3, 3),
    "mask_decoder.iou_prediction_head.layers.2.weight": (4, 256),
}
"""Names and shapes in `mobile_sam.pt`, some of each kind."""


def waves(state):
    """Fill a state dict the same way on every machine."""
    filled = dict(state)
    for number, (name, tensor) in enumerate(sorted(state.items())):
        if tensor.is_floating_point():
            wave = torch.sin(torch.arange(tensor.numel()) * 0.37 + number).reshape(tensor.shape)
            many = tensor.ndim > 1
            filled[name] = wave * (1.5 / tensor[0].numel()) ** 0.5 if many else 1 + wave / 4
    return filled


@pytest.fixture(scope="module")
def vit_t_file(tmp_path_factory):
    """A file of mobile_sam.pt's shape."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("mobile") / "mobile_sam.pt"
    torch.save(build_vit_t().state_dict(), path)
    return path


def test_the_encoder_computes_what_timm_computes():
    """The numbers are timm 1.0.31's TinyVit's, the stride of its last stage taken out."""
    encoder = TinyViTEncoder(128)
    encoder.load_state_dict(waves(encoder.state_dict()))
    pixels = torch.sin(torch.arange(3 * 128 * 128) * 0.01).reshape(1, 3, 128, 128)
    with torch.no_grad():
        features = encoder.layers(encoder.patch_embed(pixels))
    assert features.shape == (1, 320, 8, 8)
    torch.testing.assert_close(
        torch.cat([features[0, ::80, 3, 5], features[0, 7, ::3, 2]]),
        torch.tensor(
            [-593.40997, -299.19504, 7571.51270, -3709.33154, -205.48935, 2950.73193, 6507.94678]
        ),
        rtol=1e-3,
        atol=1.0,
    )


def test_a_file_of_its_shape_loads_and_embeds(vit_t_file):
    model = load_model(vit_t_file)
    assert model.architecture == "vit_t"
    state = model.sam.state_dict()
    assert {name: tuple(state[name].shape) for name in KNOWN} == KNOWN
    given = torch.load(vit_t_file, weights_only=True)
    assert all(torch.equal(given[name], tensor) for name, tensor in state.items())
    model.sam.train()
    assert not any(m.training for m in model.sam.modules() if isinstance(m, _BatchNorm))
    with torch.no_grad():
        embedding = model.sam.image_encoder(model.sam.preprocess(torch.zeros(1, 3, 1024, 700)))
    assert embedding.shape == (1, 256, 64, 64)
    assert not model.network.is_light  # six times the starter's time


def test_it_goes_out_as_it_came_in(vit_t_file, tmp_path):
    save_sam_checkpoint(load_model(vit_t_file).sam, tmp_path / "out.pt")
    before = torch.load(vit_t_file, weights_only=True)
    after = torch.load(tmp_path / "out.pt", weights_only=True)
    assert {n: (t.dtype, t.shape) for n, t in before.items()} == {
        n: (t.dtype, t.shape) for n, t in after.items()
    }
    uncounted = {n: t for n, t in before.items() if not n.endswith("num_batches_tracked")}
    torch.save(
        {"model_state": {f"sam.{n}": t for n, t in uncounted.items()}}, tmp_path / "micro.pt"
    )
    assert load_model(tmp_path / "micro.pt").architecture == "vit_t"
    del uncounted["image_encoder.layers.3.blocks.1.attn.qkv.weight"]
    torch.save(uncounted, tmp_path / "less.pt")
    with pytest.raises(CheckpointError, match=r"does not fit vit_t: .*qkv\.weight is missing"):
        load_model(tmp_path / "less.pt")
