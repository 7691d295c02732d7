"""Makes a script of the commands of a documentation page, with values in place of its placeholders."""

import re
from collections.abc import Mapping

from tests.unit.docs.pages import Page

_PLACEHOLDER = re.compile(r"\b(?!AWS_)[A-Z][A-Z_]{3,}\b")
"""A word in capitals that is no variable of the aws command."""


def placeholders_of(page: Page) -> set[str]:
    """The placeholders in the commands of a page, those that are not run included."""
    return {name for kind in ("bash", "sh") for block in page.blocks(kind) for name in _names(block)}


def script_of(page: Page, values: Mapping[str, str]) -> str:
    """The bash blocks of a page in their order, as they are but for the placeholders.

    Raises:
        KeyError: a placeholder has no value.
    """
    return _PLACEHOLDER.sub(lambda found: values[found[0]], "".join(page.blocks("bash")))


def _names(block: str) -> list[str]:
    return _PLACEHOLDER.findall(block)
