"""Cleans texts from outside: removes terminal escapes, control characters and passwords in URLs."""

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
"""ANSI sequences: colours and cursor movements; window titles and links."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters except tab and line feed, and characters that change the direction of text."""
_USER_INFO = re.compile(r"(://)[^/\s@]*@")


def printable(text: str) -> str:
    r"""The text without ANSI sequences, and with spaces for control characters.

    >>> printable("\x1b[31mred\x1b[0m\x00\n")
    'red \n'
    """
    return _CONTROL.sub(" ", _ESCAPES.sub("", text))


def without_user_info(text: str) -> str:
    """The text without user names and passwords in URLs.

    >>> without_user_info("no answer from http://key:secret@minio:9000/bucket")
    'no answer from http://[redacted]@minio:9000/bucket'
    """
    return _USER_INFO.sub(r"\1[redacted]@", text)


def to_one_line(text: str, limit: int) -> str:
    """The text in one printable line of at most `limit` characters, without passwords in URLs."""
    line = " ".join(without_user_info(printable(text)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
