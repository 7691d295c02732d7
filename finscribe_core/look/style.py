"""The style sheet of every page: the colours as CSS variables, then style.css."""

from collections.abc import Mapping
from pathlib import Path

from finscribe_core.look.colours import DARK, LIGHT

_FILE = Path(__file__).parent / "style.css"


def style() -> str:
    """The style sheet, for light and dark screens and for paper."""
    return (
        f":root {{ color-scheme: light dark; {_variables(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}\n"
        + _FILE.read_text(encoding="utf-8")
    )


def _variables(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
