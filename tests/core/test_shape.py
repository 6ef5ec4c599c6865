"""The shape of a mask is found again where it was moved, scaled and turned."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam_tune.core.geometry.windows import bounding_box
from napari_sam_tune.core.scoring import iou
from napari_sam_tune.core.stacks.shape import UNMOVED, Shape

WINDOW = (0, 0, 120, 130)


def blob(pose: np.ndarray) -> np.ndarray:
    """An ellipse with a bump, which no turn but its own brings back, about (60, 64)."""
    rows, columns = np.mgrid[: WINDOW[2], : WINDOW[3]].astype(float)
    down, right = rows - 60 - pose[0], columns - 64 - pose[1]
    cos, sin, scale = np.cos(pose[3]), np.sin(pose[3]), np.exp(pose[2])
    down, right = (cos * down + sin * right) / scale, (cos * right - sin * down) / scale
    body = (down / 24) ** 2 + (right / 11) ** 2 < 1
    return body | ((down - 15) ** 2 + (right - 8) ** 2 < 49)


def shape_of_blob() -> Shape:
    mask = blob(UNMOVED)
    y0, x0, y1, x1 = bounding_box(mask)
    return Shape(mask[y0:y1, x0:x1], (y0, x0, y1, x1))


@settings(max_examples=25)
@given(
    st.floats(-5, 5), st.floats(-5, 5), st.floats(-0.15, 0.15), st.floats(-0.25, 0.25),
    st.integers(0, 1000),
)  # fmt: skip
def test_a_pose_is_found_in_noise(
    rows: float, columns: float, growth: float, angle: float, seed: int
) -> None:
    shape, turned = shape_of_blob(), np.array([rows, columns, growth, angle])
    there = blob(turned)
    evidence = np.where(there, 2.0, -2.0) + np.random.default_rng(seed).normal(0, 2, there.shape)
    pose = shape.fit(evidence, WINDOW, [UNMOVED], UNMOVED, np.array([5, 5, 0.2, 0.3]))
    assert iou(shape.at(pose, WINDOW) > 0, there) > 0.9


def test_where_nothing_is_seen_it_stays_where_it_is_likely() -> None:
    likely, doubt = np.array([3.0, -2.0, 0.05, 0.1]), np.array([1.5, 1.5, 0.03, 0.03])
    pose = shape_of_blob().fit(np.zeros((120, 130)), WINDOW, [UNMOVED], likely, doubt)
    assert np.allclose(pose, likely, atol=1e-3)
