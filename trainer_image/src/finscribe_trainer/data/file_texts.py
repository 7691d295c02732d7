"""Decides whether a text in a row is document text, or the name of a file that the model would never see."""

import re
from pathlib import Path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Suffixes of the image formats that are read."""
_OTHER_IMAGE_SUFFIXES = (
    *(".heic", ".heif", ".avif", ".gif", ".jfif", ".jpe", ".jp2", ".j2k", ".jxl", ".svg", ".ico", ".dng"),
    *(".pnm", ".ppm", ".pgm", ".pbm", ".psd", ".eps", ".dcm"),
)
"""Suffixes of images in other formats: such a name is rejected, and not learned as text."""
_DOCUMENT_SUFFIXES = (".pdf", ".djvu", ".xps")
_ALL_IMAGE_SUFFIXES = (*IMAGE_SUFFIXES, *_OTHER_IMAGE_SUFFIXES)
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|data:[\w/+.-]*[;,])\S+", re.IGNORECASE)
_ENCODED_IMAGE = re.compile(r"(?:/9j/|iVBORw0KGgo|JVBERi0|UklGR)[A-Za-z0-9+/=]{100,}")
"""The start of a JPEG, PNG, PDF or WebP file in base64."""
_FOLDERS = (
    *("images", "imgs", "img", "scans", "pictures", "photos", "pages", "pdfs", "pdf", "docs", "documents"),
    *("invoices", "receipts", "files", "uploads", "data", "dataset", "train", "val", "validation", "test"),
)
_PATH = re.compile(
    rf"""(?: (?:\.{{1,2}}|~)[/\\]           # ./1  ../1  ~/1
           | /[^/]+/                       # /mnt/1
           | [A-Za-z]:\\                   # C:\scans\1
           | \\\\                          # \\server\scans\1
           | (?:{"|".join(_FOLDERS)})[/\\]  # images/1
         ).""",
    re.IGNORECASE | re.VERBOSE,
)
_SUFFIX = re.compile(r"\w\.[A-Za-z][A-Za-z0-9]{1,4}\Z")
_LONGEST = 4096
"""Longest name of a file or URL, in characters."""
_QUOTES = " \t\r\n'\"`<>()[]"
"""What may surround a name: quotes, or the brackets of Markdown, HTML or a list."""


def names_image(text: str) -> bool:
    """Whether a text is one line that ends in the suffix of an image file, of a format that is read or not.

    >>> names_image("scans/invoice 7.HEIC"), names_image("a.png?width=9"), names_image("Total: 12.00")
    (True, True, False)
    """
    return _ends_in(text.strip(_QUOTES), _ALL_IMAGE_SUFFIXES)


def names_file(text: str) -> bool:
    r"""Whether a text is one line that names a file: it ends in the suffix of an image or a PDF, or is one
    word that is a URL, base64 data, or a path.

    A word with slashes is a path if it starts like one (`./`, `C:\`, `images/`) or ends in a suffix: a date,
    a unit, or an invoice's number has slashes, too.

    >>> names_file("images/0001"), names_file("https://x.example/page?id=7"), names_file("01/02/2026")
    (True, True, False)
    """
    word = text.strip(_QUOTES)
    if _ends_in(word, (*_ALL_IMAGE_SUFFIXES, *_DOCUMENT_SUFFIXES)):
        return True
    if len(word) > _LONGEST:
        return bool(_ENCODED_IMAGE.match(word))
    if re.search(r"\s", word):
        return False
    if any(pattern.match(word) for pattern in (_URL, _ENCODED_IMAGE, _PATH)):
        return True
    return ("/" in word or "\\" in word) and bool(_SUFFIX.search(word))


def _ends_in(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a line ends in a suffix, which a URL's query or fragment may follow."""
    if len(name) > _LONGEST or "\n" in name:
        return False
    name = re.sub(r"[?#]\S*$", "", name)
    return name.lower().endswith(suffixes) and any(map(str.isalnum, name[: name.rindex(".")]))


def is_encoded(text: str) -> bool:
    """Whether a text is a file's content in base64, and not its name."""
    return text.strip().startswith("data:") or bool(_ENCODED_IMAGE.match(text.strip()))


def names_file_below(root: Path, text: str) -> bool:
    """Whether a text is one word that names a file below a folder, existing or in an existing subfolder."""
    if len(text.split()) != 1:
        return False
    try:
        path = root / text
        in_subfolder = "/" in text and not text.startswith(("/", ".")) and path.parent.is_dir()
        return path.is_file() or in_subfolder
    except (OSError, ValueError):  # too long, or a null character: no path
        return False


def how_to_convert(name: str) -> str:
    """What to do with a file of a format that is not read, by its suffix; empty for any other name."""
    if _ends_in(name, _DOCUMENT_SUFFIXES):
        return "; `finscribe data import` writes its pages as images"
    return (
        "; convert it to PNG or JPEG, or use `finscribe data import`"
        if _ends_in(name, _OTHER_IMAGE_SUFFIXES)
        else ""
    )
