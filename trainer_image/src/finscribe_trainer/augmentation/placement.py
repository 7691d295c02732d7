"""Where the points of a page go: turned, bent and scaled, without leaving the image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finscribe_trainer.augmentation.change import Change

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Placement:
    """A changed page on its image."""

    size: tuple[int, int]
    """(width, height) of the image in pixels."""
    matrix: Matrix
    """[3, 3]: takes points of the page, in pixels, to points of the image (homogeneous coordinates)."""

    def of_box(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        """The smallest upright box about what a box has become, cut off at the image's edges.

        Args:
            box: left, top, right, bottom in pixels.
        """
        left, top, right, bottom = box
        x, y = self.of_points(np.array([[left, right, right, left], [top, top, bottom, bottom]]))
        width, height = self.size
        (left, right), (top, bottom) = (
            np.clip([x.min(), x.max()], 0, width),
            np.clip([y.min(), y.max()], 0, height),
        )
        return float(left), float(top), float(right), float(bottom)

    def of_points(self, points: Matrix) -> Matrix:
        """Points [2, n] of the page as points [2, n] of the image."""
        moved = self.matrix @ np.vstack([points, np.ones(points.shape[1])])
        return np.asarray(moved[:2] / moved[2])


def place(change: Change, size: tuple[int, int]) -> Placement:
    """Where a change puts a page of (width, height) pixels.

    The image is the upright rectangle about the page, so that nothing is cut off, shrunk until it has no more
    pixels than the page had (times scale^2): a row keeps its number of image tokens.
    """
    width, height = size
    if not change.moves:
        return Placement(size, np.eye(3))
    corners = np.array([[0, width, width, 0], [0, 0, height, height]], dtype=float)
    bent = corners + (np.array(change.bend).T * [[width], [height]] if change.bend else 0)
    turn = math.radians(change.angle)
    rotation = np.array(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
    )  # y points down
    targets = rotation @ bent
    targets -= targets.min(axis=1, keepdims=True)
    extent = targets.max(axis=1)
    shrink = min(1.0, math.sqrt(width * height / (extent[0] * extent[1]))) * change.scale
    pixels = np.maximum(np.floor(extent * shrink + 1e-6), 1)
    return Placement(
        (int(pixels[0]), int(pixels[1])), _homography(corners, targets * (pixels / extent)[:, None])
    )


def _homography(points: Matrix, targets: Matrix) -> Matrix:
    """The matrix [3, 3] that takes four points [2, 4] to four others.

    Four pairs give eight equations for its eight free entries (direct linear transformation).
    """
    rows = []
    for (x, y), (u, v) in zip(points.T, targets.T, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved = np.linalg.solve(np.array(rows), targets.T.ravel())
    return np.append(solved, 1.0).reshape(3, 3)
