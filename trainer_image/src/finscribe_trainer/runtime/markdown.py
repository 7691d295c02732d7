"""Escapes texts for Markdown: keys, answers and file names can't become headings, links or images."""

import re


def escape(text: object) -> str:
    r"""Escape markup, HTML and the separator of table cells, in one line.

    >>> print(escape("a\n# b | <i>"))
    a \# b \| &lt;i&gt;
    """
    escaped = re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", _one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: object) -> str:
    """A text as a code span, in one line; backticks, which would end it, become apostrophes.

    >>> print(code("line_items[0]`"))
    `line_items[0]'`
    """
    content = _one_line(text).replace("`", "'")
    return f"`{content}`" if content else ""


def fence(text: str) -> str:
    """A fence for a code block, longer than those in its text."""
    return "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
