"""Cleans texts from outside: removes terminal escapes, control characters, and credentials in URLs."""

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
"""ANSI sequences: colours and cursor movements; window titles and links."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters except tab and line feed, and characters that change the direction of text."""
_USER_INFO = re.compile(
    r"""\b([a-z][a-z0-9+.-]*://)(?:[^\s/?\#"'<>]+|[^\s/:@"'<>]+:(?!\d+/)[^\s@"'<>]+)@""", re.IGNORECASE
)
"""Up to the last `@` before the path; also a password with a slash, which belongs in no URL."""
_SIGNATURE = re.compile(
    r"""((?:X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|Signature|Credential|AWSAccessKeyId)="""
    r"""|[?&](?:sig|token|access_token|password)=|\bBearer\ )[^&\s"',]+""",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    r"""The text without ANSI sequences, and with spaces for control characters.

    >>> printable("\x1b[31mred\x1b[0m\x00\n")
    'red \n'
    """
    return _CONTROL.sub(" ", _ESCAPES.sub("", text))


def redact_urls(text: str) -> str:
    """The text without the user and password of URLs, and without signatures and tokens of URLs and headers.

    >>> redact_urls("https://user:secret@minio:9000/b failed")
    'https://[redacted]@minio:9000/b failed'
    """
    return _SIGNATURE.sub(r"\1[redacted]", _USER_INFO.sub(r"\1[redacted]@", text))


def to_one_line(text: str, limit: int) -> str:
    """The text in one printable line of at most `limit` characters, without credentials in URLs."""
    line = " ".join(redact_urls(printable(text)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
