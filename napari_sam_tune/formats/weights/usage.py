"""How exported weights are used, in Markdown, for their model card."""

from __future__ import annotations

from napari_sam_tune.core.models.catalogue import ARCHITECTURES


def half_names(name: str, suffix: str) -> tuple[str, str]:
    """Name a model's two graphs, encoder and decoder.

    A name with the suffix gives two names of its own, one without is a folder for both.
    """
    stem = name.removesuffix(suffix)
    prefix = f"{name}/" if stem == name else f"{stem}_"
    return f"{prefix}encoder{suffix}", f"{prefix}decoder{suffix}"


def use_sam(file: str, architecture: str) -> str:
    """Say how to use a whole model."""
    ours = f"```sh\nnapari-sam-tune predict IMAGE --model {file} --point X,Y --out DIR\n```"
    kind = ARCHITECTURES.get(architecture)
    if kind is None or kind.package is None:
        return f"{ours}\n\nOther programs do not know the starter's architecture."
    return (
        f"```python\nfrom {kind.package} import sam_model_registry\n\n"
        f'sam = sam_model_registry["{architecture}"](checkpoint="{file}")\n```\n\n{ours}'
    )


def use_ours(file: str, _: str) -> str:
    """Say how to use a weights file of this program."""
    return (
        f"```sh\nnapari-sam-tune predict IMAGE --weights {file} --point X,Y --out DIR\n```\n\n"
        "It holds what differs from the base model, which must be on the machine."
    )


def use_head(file: str, _: str) -> str:
    """Say how to use a promptless head."""
    return (
        f"```sh\nnapari-sam-tune predict IMAGES --weights {file} --auto --out DIR\n```\n\n"
        "It holds the head and the encoder's neck; the base model must be on the machine."
    )


def use_onnx(file: str, _: str) -> str:
    """Say how to use two ONNX graphs."""
    encoder, decoder = half_names(file, ".onnx")
    return _use_graphs(
        "import onnxruntime",
        f'encoder = onnxruntime.InferenceSession("{encoder}")',
        f'decoder = onnxruntime.InferenceSession("{decoder}")',
    )


def use_exported(file: str, _: str) -> str:
    """Say how to use two exported programs."""
    encoder, decoder = half_names(file, ".pt2")
    return _use_graphs(
        "import torch",
        f'encoder = torch.export.load("{encoder}").module()',
        f'decoder = torch.export.load("{decoder}").module()',
    )


def _use_graphs(*lines: str) -> str:
    header, *loads = lines
    code = "\n".join([header, "", *loads])
    return (
        "The encoder makes an embedding of an image once, the decoder draws masks from clicks on "
        "it; “Formats of weights” in the book of napari-sam-tune has their inputs and outputs.\n\n"
        f"```python\n{code}\n```"
    )
