"""Memory for arrays that are kept for a while: pages of their own.

They go back to the system with the array. What lies on the heap for long, and goes at last, leaves
holes there, of which a few bytes put in by anybody keep the next array out: an accept took a
megabyte of the heap, though nothing held it any more, and images another half.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def in_own_pages(array: NDArray[Any]) -> NDArray[Any]:
    """Copy an array of some pixels into pages of its own, its axes in the same order in memory."""
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    pages = mmap.mmap(-1, array.nbytes)
    moved = np.frombuffer(pages, array.dtype).reshape([array.shape[axis] for axis in order])
    moved = moved.transpose(np.argsort(order))
    moved[...] = array
    return moved
