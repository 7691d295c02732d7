"""Hooks of the documentation's site: README.md is its start, and files that pages link are copied into it."""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
START = "index.md"
REPOSITORY = "repository"
"""Folder of the site for files from outside of docs/."""
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)(?=[)#])")
"""The target of a link or image, without its anchor."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand the folder of runbooks in the navigation into its pages."""
    folder = ROOT / "docs" / "runbooks"
    pages = [f"runbooks/{path.name}" for path in sorted(folder.glob("Finscribe*.md"))]
    config.nav = [
        {"Runbooks": ["runbooks/README.md", *pages]} if entry == {"Runbooks": "runbooks"} else entry
        for entry in config.nav or []
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README.md, and all files outside of docs/ that a page links, directly or by another such file."""
    new = [ROOT / "README.md"]
    known = {ROOT / "docs" / file.src_uri for file in files} | set(new)
    unread = [path for path in known if path.suffix == ".md"]
    while unread:
        path = unread.pop()
        for target in _LINK.findall(path.read_text(encoding="utf-8")):
            linked = Path(os.path.normpath(path.parent / target))
            if linked.is_file() and linked not in known and linked.is_relative_to(ROOT):
                known.add(linked)
                new.append(linked)
                unread += [linked] if linked.suffix == ".md" else []
    for path in new:
        files.append(File.generated(config, _uri(path), content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to files of the repository at where they are in the site."""
    source = _path(page.file.src_uri)

    def in_site(match: re.Match[str]) -> str:
        linked = Path(os.path.normpath(source.parent / match[1]))
        return os.path.relpath(_uri(linked), PurePosixPath(page.file.src_uri).parent)

    return _LINK.sub(in_site, markdown)


def _uri(path: Path) -> str:
    """Where a file of the repository is in the site's sources."""
    if path == ROOT / "README.md":
        return START
    docs = ROOT / "docs"
    inside = path.is_relative_to(docs)
    return str(path.relative_to(docs) if inside else Path(REPOSITORY) / path.relative_to(ROOT))


def _path(uri: str) -> Path:
    """The file of the repository behind a page; the reverse of `_uri`."""
    if uri == START:
        return ROOT / "README.md"
    name = uri.removeprefix(f"{REPOSITORY}/")
    return ROOT / name if name != uri else ROOT / "docs" / uri
