"""Examples that stand in the description of the operations; masks in them are of a sample."""

from __future__ import annotations

from typing import Any, Final

from napari_sam_tune.service.events import as_event

IMAGE: Final = "24f28ec209417ddd739dabdda2cc3ce5"
WEIGHTS: Final = "3f9c2a71d0be"
PROJECT: Final = "5d1a0c7be2f94863a9d20f3b71c64e88"
ROUND: Final = "0b6e4f5a2c8d41379e60a1f7d3582cb9"
RECORD: Final = "20260301T091542117300-9c04be17"

Example = dict[str, Any]

_QUESTION: Final = (125, 88, 175, 118)
BOX_TEXT: Final = ",".join(map(str, _QUESTION))
POINTS_TEXT: Final = "150,103,1;90,120,0"
QUESTION: Final[Example] = {
    "box": list(_QUESTION),
    "points": [{"x": 150, "y": 103, "label": 1}],
}
_MASK: Final[Example] = {
    "box": [132, 94, 167, 113],
    "segmentation": {
        "size": [19, 35],
        "counts": ";5=2N2N2O0O1O100O100O01000000000O0100O100O010O010O10O0100O100O1O1O1O2M1",
    },
    "predicted_iou": 0.86421394,
}
PROPOSAL: Final[Example] = {
    "image": IMAGE,
    "mask": _MASK,
    "candidates": [_MASK],
    "weights": "base",
}
COCO: Final[Example] = {
    "image": IMAGE,
    "segmentation": {
        "size": [320, 320],
        "counts": "Y[Y15j92N2N2O0O1O100O100O01000000000O0100O100O010O010O10O0100O100O1O1O1O2MSg_1",
    },
    "bbox": [132, 94, 35, 19],
    "area": 405,
    "predicted_iou": 0.86421394,
    "weights": "base",
}
KEPT_IMAGE: Final[Example] = {"id": IMAGE, "width": 320, "height": 320}
MODEL: Final[Example] = {
    "base": "starter",
    "base_sha256": "661845cf6a0fc007a8b8a045e0cd0380c004140bd3df0c139b23a38a7035174f",
    "input_side": 512,
    "device": "cpu",
    "in_use": WEIGHTS,
    "versions": ["base", WEIGHTS],
}
METRICS: Final = 'sam_tune_answers_total{operation="/v1/masks",status="200"} 1.0\n'

HOLDINGS: Final[Example] = {"images": [IMAGE], "records": [RECORD], "weights": [WEIGHTS]}
RECORDS: Final[Example] = {
    "records": [
        {
            "id": RECORD,
            "image": IMAGE,
            "bits": "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR42mNkZGBiYAAAABcA"
            "BY50DkcAAAAASUVORK5CYII=",
            "attributes": {
                "image_id": IMAGE,
                "label": "pit",
                "shape": [320, 320],
                "crop": [102, 72, 104, 74],
                "bbox": [102, 72, 104, 74],
                "area": 4,
            },
        }
    ]
}
ROUND_ASKED: Final[Example] = {"parent": "base", "train": [RECORD]}
ROUND_BEGUN: Final[Example] = {"round": ROUND}

VERSION_EVENT: Final = as_event("version", {"version": WEIGHTS})
PROGRESS_EVENT: Final = as_event(
    "progress",
    {
        "step": 6,
        "steps": 12,
        "loss": 0.31,
        "held_out": None,
        "seconds_left": 8.0,
        "phase": "training",
    },
    "6",
)
