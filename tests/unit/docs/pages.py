"""The pages people read, taken apart: fenced blocks, code in the text, links."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


@dataclass(frozen=True)
class Page:
    """A page's text by kind."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def inline(self) -> list[str]:
        """Code in the text; a line break within it is a space."""
        return [code.replace("\n", " ") for code in _INLINE.findall(self.prose)]

    def blocks(self, language: str) -> list[str]:
        return [text for name, text in _BLOCK.findall(self.text) if name == language]

    @property
    def commands(self) -> list[str]:
        """The command lines of its bash blocks, without comments; lines that go on are one."""
        lines = "".join(self.blocks("bash")).replace("\\\n", " ").splitlines()
        return [line for line in (f" {line}".partition(" #")[0].strip() for line in lines) if line]

    @property
    def links(self) -> list[str]:
        """Targets of links to other files, and to headings."""
        return re.findall(r"\]\((?!https?:)([^)]+)\)", re.sub(r"`[^`\n]*`", "", self.prose))

    @property
    def anchors(self) -> set[str]:
        """Its headings, as links name them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


ALL = {str(path.relative_to(ROOT)): Page(path) for path in PAGES}
