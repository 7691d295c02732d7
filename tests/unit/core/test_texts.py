"""Texts from pods, schedulers and users are shown without what harms a terminal or gives a password away."""

import pytest

from finscribe_core.texts import printable, redact_urls, to_one_line

PRINTABLE = {
    "colours": ("\x1b[1;31mred\x1b[0m", "red"),
    "a cleared screen": ("a\x1b[2J\x1b[Hb", "ab"),
    "a window title": ("\x1b]0;title\x07text", "text"),
    "a link": ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
    "an escape that is cut off": ("a\x1b[", "a ["),
    "control characters": ("a\x00b\x08c\x7fd\x9be", "a b c d e"),
    "a change of direction": ("abc\u202etxt.exe", "abc txt.exe"),
    "tabs and lines stay": ("a\tb\nc", "a\tb\nc"),
    "letters of all languages stay": ("Größe 発行 \U0001f600", "Größe 発行 \U0001f600"),
}
USER_INFO = {
    "user and password": ("https://key:secret@host:9000/a", "https://[redacted]@host:9000/a"),
    "a token": ("cannot reach http://ghp_token@host.", "cannot reach http://[redacted]@host."),
    "two URLs": ("s3://a:b@x s3://c:d@y", "s3://[redacted]@x s3://[redacted]@y"),
    "an @ in the path stays": ("https://host/a@b", "https://host/a@b"),
    "an address stays": ("write to team@example.org", "write to team@example.org"),
}


@pytest.mark.parametrize(("text", "expected"), PRINTABLE.values(), ids=PRINTABLE.keys())
def test_a_text_becomes_printable(text: str, expected: str):
    assert printable(text) == expected


@pytest.mark.parametrize(("text", "expected"), USER_INFO.values(), ids=USER_INFO.keys())
def test_users_and_passwords_are_removed_from_urls(text: str, expected: str):
    assert redact_urls(text) == expected


def test_one_line_has_at_most_its_limit():
    assert to_one_line("a\n  b\tc", 5) == "a b c"
    assert to_one_line("a\n  b\tc d", 5) == "a b …"
