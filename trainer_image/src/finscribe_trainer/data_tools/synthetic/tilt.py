"""A page that lies askew, or is seen at an angle; the boxes of its fields move with it."""

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finscribe_trainer.data_tools.synthetic.layout import Box

Matrix = NDArray[np.float64]
_PAPER = 252
_DESKS = ((52, 46, 42), (96, 84, 70), (180, 176, 170), (30, 32, 36))


def tilted(
    image: Image.Image, boxes: dict[str, Box], degrees: float, bend: float, rng: random.Random
) -> tuple[Image.Image, dict[str, Box]]:
    """Turn a page by up to some degrees about its middle, and move its corners.

    No field leaves the image: a turn that would push one out is halved until none does.

    Args:
        image: the page, mode RGB or L.
        boxes: places of its fields.
        degrees: the largest turn.
        bend: the furthest a corner moves on its own, as a share of the page's sides.
        rng: decides.

    Returns:
        the image, as large as before, and for each field the smallest upright box about its turned one.
    """
    angle = rng.uniform(-degrees, degrees)
    shifts = np.array([[rng.uniform(-bend, bend) for _ in range(2)] for _ in range(4)])
    outside = rng.choice(_DESKS) if bend and rng.random() < 0.5 else (_PAPER,) * 3
    for _ in range(6):
        matrix = _homography(image.size, angle, shifts)
        moved = _moved(boxes, matrix)
        if _inside(moved, image.size):
            break
        angle, shifts = angle / 2, shifts / 2
    else:
        return image, boxes
    back = np.linalg.inv(matrix)
    back /= back[2, 2]
    affine = np.abs(back[2, :2]).max() < 1e-12
    method = Image.Transform.AFFINE if affine else Image.Transform.PERSPECTIVE
    fill = outside if image.mode == "RGB" else outside[1]
    turned = image.transform(
        image.size,
        method,
        back.ravel()[: 6 if affine else 8].tolist(),
        Image.Resampling.BILINEAR,
        fillcolor=fill,
    )
    return turned, moved


def _homography(size: tuple[int, int], angle: float, shifts: Matrix) -> Matrix:
    """The matrix [3, 3] that takes page coordinates to image coordinates (homogeneous)."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    middle, turn = np.array([width / 2, height / 2]), math.radians(angle)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    targets = (corners - middle) @ rotation.T + middle + shifts * [width, height]
    # Four pairs of points give eight equations for the eight free entries (direct linear transformation).
    rows = []
    for (x, y), (u, v) in zip(corners, targets, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved = np.linalg.solve(np.array(rows), targets.ravel())
    return np.append(solved, 1.0).reshape(3, 3)


def _moved(boxes: dict[str, Box], matrix: Matrix) -> dict[str, Box]:
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
