"""Matplotlib style of plots that are written as image files; the report's SVGs follow its CSS instead."""

from typing import Any

from finscribe_core.look.colours import LIGHT

INK, MUTED = LIGHT["ink"], LIGHT["muted"]
STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": LIGHT["line"],
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
