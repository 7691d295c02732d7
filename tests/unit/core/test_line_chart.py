import re

import pytest

from finscribe_core.look.colours import DARK, LIGHT
from finscribe_core.look.line_chart import Line, line_chart
from finscribe_core.look.style import style

LINES = {
    "one point": [(1, 2.0)],
    "the same value": [(1, 2.0), (2, 2.0)],
    "zero": [(0, 0.0), (1, 0.0)],
    "negative": [(0, -1.0), (1, -2.0)],
    "factor of 1e6": [(0, 1e6), (1, 1.0)],
    "tiny": [(0, 1e-9), (1, 2e-9)],
    "many": [(step, 1 / (step + 1)) for step in range(5000)],
}


@pytest.mark.parametrize("points", LINES.values(), ids=LINES)
def test_every_point_is_drawn_inside_the_chart(points):
    drawn = line_chart([Line("loss", "train", points)], "step", "loss")
    places = re.search(r'points="([^"]*)"', drawn)
    assert places
    for place in places[1].split():
        x, y = map(float, place.split(","))
        assert 0 <= x <= 640
        assert 0 <= y <= 300
    assert len(drawn) < 20_000


def test_a_chart_without_a_finite_point_is_empty():
    assert line_chart([], "step", "loss") == ""
    assert line_chart([Line("loss", "train", [(1, float("nan"))])], "step", "loss") == ""


def test_a_label_is_escaped():
    assert "<b>" not in line_chart([Line("<b>", "train", [(1, 2.0)])], "<b>", "<b>")


def test_every_colour_of_the_style_sheet_has_a_value_for_light_and_dark():
    assert LIGHT.keys() == DARK.keys()
    used = set(re.findall(r"var\(--([a-z0-9-]+)", style()))
    assert used - LIGHT.keys() == {"swatch", "boxes"}
