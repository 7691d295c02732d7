"""Rotates and warps a page and the boxes of its fields."""

import math
import random

import numpy as np
from PIL import Image

from finscribe_trainer.batches.augmentation.geometry import Matrix, homography, warp
from finscribe_trainer.data_tools.synthetic.layout import Box

_PAPER = 252
_DESKS = ((52, 46, 42), (96, 84, 70), (180, 176, 170), (30, 32, 36))


def warp_page(
    image: Image.Image, boxes: dict[str, Box], degrees: float, bend: float, rng: random.Random
) -> tuple[Image.Image, dict[str, Box]]:
    """Rotate a page about its centre and shift its corners, by random amounts.

    The amounts are halved until no field leaves the image.

    Args:
        image: the page, mode RGB or L.
        boxes: the bounding boxes of its fields.
        degrees: largest rotation.
        bend: largest shift of a corner, as a fraction of the page's width and height.
        rng: source of randomness.

    Returns:
        the image in the same size, and the bounding box of each transformed field.
    """
    angle = rng.uniform(-degrees, degrees)
    shifts = np.array([[rng.uniform(-bend, bend) for _ in range(2)] for _ in range(4)])
    outside = rng.choice(_DESKS) if bend and rng.random() < 0.5 else (_PAPER,) * 3
    for _ in range(6):
        matrix = _page_homography(image.size, angle, shifts)
        transformed = _transform_boxes(boxes, matrix)
        if _inside(transformed, image.size):
            break
        angle, shifts = angle / 2, shifts / 2
    else:
        return image, boxes
    fill = outside if image.mode == "RGB" else outside[1]
    return warp(image, matrix, image.size, fill), transformed


def _page_homography(size: tuple[int, int], angle: float, shifts: Matrix) -> Matrix:
    """The homography from page to image coordinates, shape [3, 3]."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    middle, turn = np.array([width / 2, height / 2]), math.radians(angle)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    targets = (corners - middle) @ rotation.T + middle + shifts * [width, height]
    return homography(corners.T, targets.T)


def _transform_boxes(boxes: dict[str, Box], matrix: Matrix) -> dict[str, Box]:
    if not boxes:
        return {}
    left, top, right, bottom = np.array(list(boxes.values()), dtype=float).T
    xs = np.stack([left, right, right, left])
    ys = np.stack([top, top, bottom, bottom])
    points = np.einsum("ij,jkn->ikn", matrix, np.stack([xs, ys, np.ones_like(xs)]))
    x, y = points[:2] / points[2]
    edges = np.stack([np.floor(x.min(0)), np.floor(y.min(0)), np.ceil(x.max(0)), np.ceil(y.max(0))])
    return dict(zip(boxes, map(_box, edges.T.astype(int).tolist()), strict=True))


def _box(edges: list[int]) -> Box:
    left, top, right, bottom = edges
    return left, top, right, bottom


def _inside(boxes: dict[str, Box], size: tuple[int, int]) -> bool:
    width, height = size
    return all(min(box) >= 0 and box[2] <= width and box[3] <= height for box in boxes.values())
