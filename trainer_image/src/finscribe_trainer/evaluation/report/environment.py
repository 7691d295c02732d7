"""The templates of pages: every text is escaped, and all pages have one style sheet."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from finscribe_core.look.style import style
from finscribe_trainer.evaluation.report import labels
from finscribe_trainer.evaluation.report.differences import differing_parts

TEMPLATES = Path(__file__).parent
"""With document.html.jinja, the macros that show a document with its answers."""
_UNREADABLE_CHARACTERS = 1000
"""Of an answer that is no JSON, beside the ground truth's values."""
_SHOWN_CHARACTERS = 20_000
"""Of one value or answer; the results file has the full text."""


def page_environment(*folders: Path) -> Environment:
    """The templates in these folders and in this one, with the filters of pages; all texts are escaped."""
    environment = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup(style())  # noqa: S704 - a file of this package
    environment.filters |= {
        "percent": labels.percent,
        "points": labels.points,
        "p_value": labels.p_value,
        "words": labels.words,
        "bounded": _bounded,
        "excerpt": lambda text: _bounded(text, _UNREADABLE_CHARACTERS),
        "breakable": _breakable,
        "differing": _differing,
    }
    return environment


def _bounded(text: str, characters: int = _SHOWN_CHARACTERS) -> str:
    rest = len(text) - characters
    return text if rest <= 0 else f"{text[:characters]}… ({rest} more characters)"


def _breakable(path: str) -> Markup:
    """A field's path with line-break opportunities after each component."""
    return Markup("<wbr>").join(re.split(r"(?<=[._\]])", path))  # escapes what it joins


def _differing(answer: str, gold: str) -> Markup:
    """An answer's value with what differs from the ground truth marked, character by character."""
    forms = {
        "same": Markup("{}"),
        "other": Markup('<mark class="mark-wrong">{}</mark>'),
        "missing": Markup("<del>{}</del>"),
    }
    return Markup().join(forms[part.kind].format(part.text) for part in differing_parts(gold, answer))
