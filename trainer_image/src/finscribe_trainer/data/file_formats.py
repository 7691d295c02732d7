"""Names the format of a file that is not a supported image, by its first bytes, with a remedy."""

from finscribe_trainer.data.table_images import ImageFile

_IMPORT = "run `finscribe data import IN OUT`, which writes its pages as images"
_CONVERT = "convert it to PNG or JPEG"
_PAGES = "convert each page to a PNG"
_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF-", "a PDF document", _IMPORT),
    (0, b"%!PS", "a PostScript document", _PAGES),
    (0, b"\xd0\xcf\x11\xe0", "an Office document", _PAGES),
    (0, b"PK\x03\x04", "a ZIP archive or an Office document", "unpack it, or convert each page to a PNG"),
    (0, b"AT&TFORM", "a DjVu document", _PAGES),
    (4, b"ftypavif", "an AVIF image", _CONVERT),
    (4, b"ftypavis", "an AVIF image", _CONVERT),
    (4, b"ftyphe", "a HEIC photo", _IMPORT),
    (4, b"ftypmif1", "a HEIC photo", _IMPORT),
    (4, b"ftypmsf1", "a HEIC photo", _IMPORT),
    (4, b"ftyp", "a video", "export each page as a PNG"),
    (4, b"jP  \r\n", "a JPEG 2000 image", _IMPORT),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image", _IMPORT),
    (4, b"JXL ", "a JPEG XL image", _CONVERT),
    (0, b"\xff\x0a", "a JPEG XL image", _CONVERT),
    (0, b"\x97JB2", "a JBIG2 image", _CONVERT),
    (0, b"GIF8", "a GIF image", _CONVERT),
    (0, b"8BPS", "a Photoshop image", _CONVERT),
    (128, b"DICM", "a DICOM image", _CONVERT),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself",
        "run `git lfs pull` in the repository",
    ),
)
"""(offset, bytes, format, remedy), the more specific first."""
_TEXTS: tuple[tuple[bytes, str, str], ...] = (
    (b"<!doctype html", "an HTML page, perhaps of an error or a login", "download the image again"),
    (b"<html", "an HTML page, perhaps of an error or a login", "download the image again"),
    (b"<svg", "an SVG drawing", _CONVERT),
    (b"<?xml", "an XML document, perhaps of an error", "download the image again"),
    (b"<error", "an XML document, perhaps of an error", "download the image again"),
    (b"{", "a JSON text, perhaps of an error", "download the image again"),
)
"""(start, format, remedy) of texts, in lower case and without leading white space."""
_HEAD_BYTES = 512


def describe_file(path: ImageFile) -> tuple[str, str] | None:
    """What a file is, with an article, and how to make an image of it; None if its format is not known.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        return "empty", "download or export it again"
    for offset, magic, kind, remedy in _MAGIC:
        if head.startswith(magic, offset):
            return kind, remedy
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<?xml") and b"<svg" in text:
        return "an SVG drawing", _CONVERT
    return next(((kind, remedy) for start, kind, remedy in _TEXTS if text.startswith(start)), None)
