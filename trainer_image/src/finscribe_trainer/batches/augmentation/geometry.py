"""Computes the homography of an augmented page: rotated, warped and scaled, entirely inside the image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finscribe_trainer.batches.augmentation.params import AugmentationParams

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class PageTransform:
    """The mapping from a page to its augmented image."""

    size: tuple[int, int]
    """(width, height) of the image in pixels."""
    matrix: Matrix
    """Homography, shape [3, 3], from pixels of the page to pixels of the image (homogeneous coordinates)."""

    def map_box(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        """The bounding box of a transformed box, clipped to the image.

        Args:
            box: left, top, right, bottom in pixels.
        """
        left, top, right, bottom = box
        x, y = self.map_points(np.array([[left, right, right, left], [top, top, bottom, bottom]]))
        width, height = self.size
        (left, right), (top, bottom) = (
            np.clip([x.min(), x.max()], 0, width),
            np.clip([y.min(), y.max()], 0, height),
        )
        return float(left), float(top), float(right), float(bottom)

    def map_points(self, points: Matrix) -> Matrix:
        """Map points of the page, shape [2, n], to points of the image."""
        moved = self.matrix @ np.vstack([points, np.ones(points.shape[1])])
        return np.asarray(moved[:2] / moved[2])


def transform_of(params: AugmentationParams, size: tuple[int, int]) -> PageTransform:
    """The transform of a page of (width, height) pixels.

    The image has the size of the page times the scale, with width and height swapped where the page fits
    better that way; the page is shrunk until it fits completely. The image of another aspect ratio could have
    more image tokens than the page, depending on how a processor rounds its sides.
    """
    if not params.moves_points:
        return PageTransform(size, np.eye(3))
    width, height = size
    corners = np.array([[0, width, width, 0], [0, 0, height, height]], dtype=float)
    warped = corners + (np.array(params.corner_shifts).T * [[width], [height]] if params.corner_shifts else 0)
    radians = math.radians(params.angle)
    rotation = np.array(
        [[math.cos(radians), math.sin(radians)], [-math.sin(radians), math.cos(radians)]]
    )  # y points down
    targets = rotation @ warped
    targets -= targets.min(axis=1, keepdims=True)
    extent = targets.max(axis=1)
    upright = np.array(scaled_size(size, params.scale))
    image = max(upright, upright[::-1], key=lambda sides: float((sides / extent).min()))
    shrink = float((image / extent).min())
    margin = (image - extent * shrink) / 2
    moved = targets * shrink + margin[:, None]
    return PageTransform((int(image[0]), int(image[1])), homography(corners, moved))


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of a scaled image.

    >>> scaled_size((100, 3), 0.1)
    (10, 1)
    """
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def homography(points: Matrix, targets: Matrix) -> Matrix:
    """The homography, shape [3, 3], that maps four points, shape [2, 4], to four others.

    Four pairs of points give eight equations for its eight free entries (direct linear transformation).
    """
    rows = []
    for (x, y), (u, v) in zip(points.T, targets.T, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved = np.linalg.solve(np.array(rows), targets.T.ravel())
    return np.append(solved, 1.0).reshape(3, 3)


def warp(
    image: Image.Image, matrix: Matrix, size: tuple[int, int], fill: int | tuple[int, int, int]
) -> Image.Image:
    """Resample an image with bilinear interpolation.

    Args:
        image: mode RGB or L.
        matrix: homography, shape [3, 3], from pixels of the image to pixels of the result.
        size: (width, height) of the result in pixels.
        fill: colour of the result where there is no image.
    """
    inverse = np.linalg.inv(matrix)
    inverse /= inverse[2, 2]
    affine = np.abs(inverse[2, :2]).max() < 1e-12
    return image.transform(
        size,
        Image.Transform.AFFINE if affine else Image.Transform.PERSPECTIVE,
        inverse.ravel()[: 6 if affine else 8].tolist(),
        Image.Resampling.BILINEAR,
        fillcolor=fill,
    )
