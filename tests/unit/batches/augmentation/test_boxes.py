import json

import numpy as np
import pytest

from finscribe_trainer.batches.augmentation.boxes import has_box, transform_boxes
from finscribe_trainer.batches.augmentation.geometry import PageTransform, transform_of
from finscribe_trainer.batches.augmentation.params import AugmentationParams

TWICE = PageTransform((200, 400), np.diag([2.0, 2.0, 1.0]))
"""A page of 100 x 200 pixels, scaled by 2."""

ANSWERS = {
    "boxes of line items": (
        '{"line_items":[{"description":"Ink","bbox":[10,20,30,40]},{"bbox":[0,0,1,2]}]}',
        '{"line_items":[{"description":"Ink","bbox":[20,40,60,80]},{"bbox":[0,0,2,4]}]}',
    ),
    "blanks stay where they are": (
        '{ "bbox" : [ 1,\n  2, 3,\t4 ] , "total": "1.50" }',
        '{ "bbox" : [ 2,\n  4, 6,\t8 ] , "total": "1.50" }',
    ),
    "decimals stay decimals": ('{"bbox":[1.25,2.00,3.10,4.0]}', '{"bbox":[2.50,4.00,6.20,8.0]}'),
    "a box is cut off at the edge": ('{"bbox":[50,100,150,260]}', '{"bbox":[100,200,200,400]}'),
    "a box in a quoted text is text": (
        json.dumps({"note": '"bbox":[1,2,3,4]'}),
        json.dumps({"note": '"bbox":[1,2,3,4]'}),
    ),
    "numbers elsewhere stay": ('{"box":[1,2,3,4],"bbox":[1,2,3]}', '{"box":[1,2,3,4],"bbox":[1,2,3]}'),
    "an answer without JSON": ("Total: 12.00 [1, 2, 3, 4]", "Total: 12.00 [1, 2, 3, 4]"),
}


@pytest.mark.parametrize(("answer", "moved"), ANSWERS.values(), ids=ANSWERS)
def test_boxes_are_transformed_and_nothing_else_changes(answer, moved):
    assert transform_boxes(answer, TWICE) == moved
    assert has_box(answer) == (answer != moved)


def test_whole_numbers_are_rounded_so_that_the_box_holds_its_text():
    rotation = transform_of(AugmentationParams(angle=3), (800, 1000))
    moved = json.loads(transform_boxes('{"bbox":[100,100,200,120]}', rotation))["bbox"]
    exact = rotation.map_box((100, 100, 200, 120))
    assert moved[0] <= exact[0] < moved[0] + 1
    assert moved[1] <= exact[1] < moved[1] + 1
    assert moved[2] - 1 < exact[2] <= moved[2]
    assert moved[3] - 1 < exact[3] <= moved[3]
