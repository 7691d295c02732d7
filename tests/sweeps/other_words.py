"""Starts an operator whose messages have other words: `python -m tests.sweeps.other_words --config FILE`."""

from finscribe_operator import status_conditions
from finscribe_operator.__main__ import main

PREFIX = "In other words: "


def _in_other_words(text: str, limit: int) -> str:
    """What `to_one_line` returns. A message that is carried forward has them already."""
    return to_one_line(text if not text or text.startswith(PREFIX) else f"{PREFIX}{text}", limit)


if __name__ == "__main__":
    to_one_line = status_conditions.to_one_line
    status_conditions.to_one_line = _in_other_words
    main()
