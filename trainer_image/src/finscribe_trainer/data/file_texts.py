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


def _ends_in(*suffixes: str) -> re.Pattern[str]:
    """One line that ends in a suffix, which may be followed by a URL's query or fragment."""
    choice = "|".join(map(re.escape, suffixes))
    return re.compile(rf"[^\n]*\w[^\n]*(?:{choice})(?:[?#]\S*)?", re.IGNORECASE)


_IMAGE = _ends_in(*IMAGE_SUFFIXES, *_OTHER_IMAGE_SUFFIXES)
_DOCUMENT = _ends_in(*_DOCUMENT_SUFFIXES)
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|data:[\w/+.-]*[;,])\S+", re.IGNORECASE)
_ENCODED_IMAGE = re.compile(r"(?:/9j/|iVBORw0KGgo|JVBERi0|UklGR)[A-Za-z0-9+/=]{100,}")
"""The start of a JPEG, PNG, PDF or WebP file in base64."""
_FOLDERS = (
    *("images", "imgs", "img", "scans", "pictures", "photos", "pages", "pdfs", "pdf", "docs", "documents"),
    *("invoices", "receipts", "files", "uploads", "data", "dataset", "train", "val", "validation", "test"),
)
_PATH = re.compile(
    rf"""(?: (?:\.{{1,2}}|~)[/\\]\S+                  # ./1  ../1  ~/1
           | /[^/\s]+/[^\s]+                          # /mnt/1
           | [A-Za-z]:\\\S+                           # C:\scans\1
           | \\\\\S+                                  # \\server\scans\1
           | (?:{"|".join(_FOLDERS)})[/\\]\S+         # images/1
           | \S+[/\\]\S*\w\.[A-Za-z][A-Za-z0-9]{{1,4}}  # 2026/1.xyz
         )""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTES = " \t\r\n'\"`<>()[]"
"""What may surround a name: quotes, or the brackets of Markdown, HTML or a list."""


def names_image(text: str) -> bool:
    """Whether a text is one line that ends in the suffix of an image file, of a format that is read or not.

    >>> names_image("scans/invoice 7.HEIC"), names_image("a.png?width=9"), names_image("Total: 12.00")
    (True, True, False)
    """
    return bool(_IMAGE.fullmatch(text.strip(_QUOTES)))


def names_file(text: str) -> bool:
    r"""Whether a text is one line that names a file: it ends in the suffix of an image or a PDF, or is one
    word that is a URL, base64 data, or a path.

    A word with slashes is a path if it starts like one (`./`, `C:\`, `images/`) or ends in a suffix: a date,
    a unit, or an invoice's number has slashes, too.

    >>> names_file("images/0001"), names_file("https://x.example/page?id=7"), names_file("01/02/2026")
    (True, True, False)
    """
    word = text.strip(_QUOTES)
    return any(pattern.fullmatch(word) for pattern in (_IMAGE, _DOCUMENT, _URL, _ENCODED_IMAGE, _PATH))


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
    if _DOCUMENT.fullmatch(name):
        return "; write each of its pages as an image, such as PNG"
    known = name.lower().endswith(IMAGE_SUFFIXES)
    return "; convert it to PNG or JPEG" if _IMAGE.fullmatch(name) and not known else ""
