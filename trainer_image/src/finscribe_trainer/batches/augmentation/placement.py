"""Where the points of a page go: turned, bent and scaled, without leaving the image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finscribe_trainer.batches.augmentation.change import Change

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

    The image is as large as the page (times scale), on its side where the page fits better so; the page is
    made smaller until nothing of it is cut off. So a row keeps its number of image tokens, however sides are
    rounded by a processor: of another rectangle of as many pixels it could make more.
    """
    if not change.moves:
        return Placement(size, np.eye(3))
    width, height = size
    corners = np.array([[0, width, width, 0], [0, 0, height, height]], dtype=float)
    bent = corners + (np.array(change.bend).T * [[width], [height]] if change.bend else 0)
    turn = math.radians(change.angle)
    rotation = np.array(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
    )  # y points down
    targets = rotation @ bent
    targets -= targets.min(axis=1, keepdims=True)
    extent = targets.max(axis=1)
    upright = np.array(scaled(size, change.scale))
    image = max(upright, upright[::-1], key=lambda sides: float((sides / extent).min()))
    shrink = float((image / extent).min())
    margin = (image - extent * shrink) / 2
    moved = targets * shrink + margin[:, None]
    return Placement((int(image[0]), int(image[1])), _homography(corners, moved))


def scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of an image whose scale changes.

    >>> scaled((100, 3), 0.1)
    (10, 1)
    """
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


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
