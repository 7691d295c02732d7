"""Finds the marks of images in the texts of a prompt: ours, `<image>`, and those of other programs."""

import re

MARK = "<image>"
_MARK_AND_NEWLINE = re.compile(rf"{MARK}\n?")
_FOREIGN = re.compile(
    r"""<\|(?: vision_start | vision_end | image_pad | image_placeholder | image_start | image_end
             | image(?:_\d+)? | img )\|>
      | <image(?:placeholder|_placeholder|_soft_token|here)> | <start_of_image>
      | </?img> | </?image>
      | \[(?-i:IMG)\]""",
    re.IGNORECASE | re.VERBOSE,
)


def take_marks(text: str) -> tuple[str, int]:
    r"""A text without its marks, and their number.

    A line break directly after a mark only separates it from the text, and is removed with it.

    >>> take_marks("<image>\nRead this."), take_marks("Compare <image> with <image>.")
    (('Read this.', 1), ('Compare  with .', 2))
    """
    return _MARK_AND_NEWLINE.subn("", text)


def foreign_mark(text: str) -> str | None:
    """The first mark of another program in a text without our marks: it would be read as text.

    >>> foreign_mark("Picture 1: <img>a.png</img>"), foreign_mark('<img src="a.png">')
    ('<img>', None)
    """
    found = _FOREIGN.search(text)
    return found[0] if found else None
