"""COCO JSON with compressed run-length masks: keeps holes, parts and overlap exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    from napari_sam_tune.core.project import Annotation, Project


def coco_document(project: Project) -> dict[str, Any]:
    """Return the project's living annotations as a COCO "instances" document.

    Images marked "no defect here" appear as images without objects. `score` is the model's own
    IoU estimate; provenance stands in each annotation's `attributes`.
    """
    annotations = project.annotations()
    names = sorted(set(project.classes()) | {a.label for a in annotations})
    categories = {name: number for number, name in enumerate(names, start=1)}
    images = {record.id: number for number, record in enumerate(project.images(), start=1)}
    return {
        "info": {"description": f"napari-sam-tune project {project.path.name}"},
        "images": [
            {
                "id": images[record.id],
                "file_name": record.path or record.id,
                "height": record.shape[0],
                "width": record.shape[1],
            }
            for record in project.images()
        ],
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "annotations": [
            _coco_annotation(a, number, images[a.image_id], categories[a.label])
            for number, a in enumerate(annotations, start=1)
        ],
    }


def _coco_annotation(
    annotation: Annotation, number: int, image: int, category: int
) -> dict[str, Any]:
    mask = np.asfortranarray(annotation.mask.astype(np.uint8))
    run_length = coco_mask.encode(mask)
    row: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": category,
        "iscrowd": 0,
        "area": int(coco_mask.area(run_length)),
        "bbox": [float(v) for v in coco_mask.toBbox(run_length)],
        "segmentation": {
            "size": [int(v) for v in run_length["size"]],
            "counts": run_length["counts"].decode("ascii"),
        },
        "attributes": {
            "record": annotation.id,
            "weights_version": annotation.weights_version,
            "clicks": annotation.effort.clicks,
            "source": annotation.source,
        },
    }
    if annotation.predicted_iou is not None:
        row["score"] = float(annotation.predicted_iou)
    return row
