"""Parses the documentation pages: fenced blocks, inline code, commands, links, headings."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r'^ *```(\w*)(?: title="([^"]*)")?\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


@dataclass(frozen=True)
class Page:
    """A documentation page, and the parts of it that tests check."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def inline(self) -> list[str]:
        """Inline code spans; a line break within a span becomes a space."""
        return [code.replace("\n", " ") for code in _INLINE.findall(self.prose)]

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks of a language; an empty string selects blocks without one."""
        return [text for name, _, text in _BLOCK.findall(self.text) if name == language]

    @property
    def commands(self) -> list[str]:
        """All command lines."""
        return [*self.tested_commands, *_command_lines(self.blocks("sh"))]

    @property
    def tested_commands(self) -> list[str]:
        """The command lines of the bash blocks, which tests run."""
        return _command_lines(self.blocks("bash"))

    @property
    def titles_of_untested_commands(self) -> list[str]:
        """What a reader sees above the sh blocks, which no test runs."""
        return [title for name, title, _ in _BLOCK.findall(self.text) if name == "sh"]

    @property
    def links(self) -> list[str]:
        """Targets of links to files and headings of the repository."""
        return re.findall(r"\]\((?!https?:)([^)]+)\)", re.sub(r"`[^`\n]*`", "", self.prose))

    @property
    def anchors(self) -> set[str]:
        """The headings as link anchors, in GitHub's form."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _command_lines(blocks: list[str]) -> list[str]:
    """Without comments and the folder of the environment, and with continued lines joined."""
    lines = re.sub(r"\\\n|(?<=\|)\n", " ", "".join(blocks)).splitlines()
    calls = (f" {line}".partition(" #")[0].strip().removeprefix(".venv/bin/") for line in lines)
    return [call for call in calls if call]


ALL = {str(path.relative_to(ROOT)): Page(path) for path in PAGES}
