"""Reads the pages of a document as images: a PDF, a TIFF of several pages, a phone's photo, or any image."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

from finscribe_trainer.data.image_folders import ImageError
from finscribe_trainer.data.image_pixels import check_pixels, is_white_zero, to_rgb
from finscribe_trainer.data.images import check_image, check_shape, open_image

DOCUMENT_SUFFIXES = (
    *(".pdf", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".bmp"),
    *(".heic", ".heif", ".jp2", ".j2k", ".jpx"),
)
"""Suffixes of documents that can be read."""
DEFAULT_DPI = 200
MODEL_PIXELS = 2_822_400
"""Pixels of the largest page that PaddleOCR-VL reads without making it smaller: A4 at 170 dpi."""
_POINTS_PER_INCH = 72
_HEAD_BYTES = 1024
"""A PDF may have other bytes before its header."""
_REDUCED_SIZE = 1
"""TIFF 6.0, NewSubfileType: the image is a small version of another page."""
_NEW_SUBFILE_TYPE = 254
_FRAMES_SEARCHED = 1000
_PASSWORD_ERROR = 4
"""FPDF_ERR_PASSWORD of PDFium."""


@dataclass(frozen=True)
class PageOptions:
    """How documents are read."""

    dpi: int | None = None
    """Resolution of the pages of a PDF; None for DEFAULT_DPI, or less above MODEL_PIXELS."""
    max_pixels: int = 50_000_000
    """An image with more is refused; a page of a PDF is rendered with at most so many."""
    max_pages: int = 20
    """A document with more is refused."""
    password: str | None = field(default=None, repr=False)
    """Opens encrypted PDFs."""


@dataclass(frozen=True)
class Page:
    """A page as it is seen on white paper, upright."""

    image: Image.Image
    lossy: bool = False
    """Whether the document stores it as a photo, so that JPEG loses nothing that can be seen."""


def read_pages(path: Path, options: PageOptions) -> Iterator[Page] | None:
    """The pages of a document in their order; None for an image that rows can name as it is.

    Decoders run in this process: see `page_process.py` for files of strangers.

    Raises:
        ImageError: at once or while pages are read: the document is damaged, encrypted, too large, of too
            many pages or of a format that is not read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ImageError(f"{path.name!r} can't be read: {error.strerror}") from None
    if reader := _reader(head, path):
        return _named_errors(path, reader(path, options))
    check_image(path, path.name, options.max_pixels)
    return None


def images_of(path: Path, options: PageOptions) -> Iterator[Image.Image]:
    """The pages of a document as images, in their order.

    Raises:
        ImageError: see `read_pages`.
    """
    pages = read_pages(path, options)
    if pages is None:
        yield open_image(path)
    else:
        yield from (page.image for page in pages)


_Reader = Callable[[Path, PageOptions], Iterator[Page]]


def _reader(head: bytes, path: Path) -> _Reader | None:
    """What reads a document with these first bytes; None for an image of one page."""
    if b"%PDF-" in head:
        return _pdf_pages
    if head.startswith((b"II*\0", b"MM\0*")) and _num_frames(path) > 1:
        return _tiff_pages
    if head[4:8] == b"ftyp" and head[8:11] in (b"hei", b"hev", b"mif", b"msf"):
        return _heic_page
    if head[4:8] == b"jP  " or head.startswith(b"\xff\x4f\xff\x51"):
        return _jpeg2000_page
    return None


def _named_errors(path: Path, pages: Iterator[Page]) -> Iterator[Page]:
    try:
        yield from pages
    except ImageError as error:
        raise ImageError(f"{path.name!r} {error}") from None
    except MemoryError:
        raise ImageError(f"{path.name!r} needs too much memory to be decoded") from None
    except Exception as error:  # decoders raise errors of any kind for a damaged file
        raise ImageError(f"{path.name!r} is damaged: {error}") from None


def _check_count(count: int, options: PageOptions) -> None:
    if count > options.max_pages:
        raise ImageError(f"has {count} pages, more than {options.max_pages} (--max-pages)")
    if not count:
        raise ImageError("has no pages")


def _pdf_pages(path: Path, options: PageOptions) -> Iterator[Page]:
    import pypdfium2  # noqa: PLC0415 - only for documents

    try:
        pdf = pypdfium2.PdfDocument(path, password=options.password)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) != _PASSWORD_ERROR:
            raise ImageError(f"is no readable PDF: {error}") from None
        how = "another password than the one given" if options.password else "a password (--password-file)"
        raise ImageError(f"is encrypted, and needs {how}") from None
    with closing(pdf):
        _check_count(len(pdf), options)
        pdf.init_forms()
        for number in range(len(pdf)):
            try:
                page = pdf[number]
                image = page.render(scale=_scale(page.get_size(), options, number)).to_pil()
            except pypdfium2.PdfiumError as error:
                raise ImageError(f"has a damaged page {number + 1}: {error}") from None
            yield Page(image.convert("RGB"))
            page.close()


def read_text_layer(path: Path, options: PageOptions) -> str:
    """The text that a PDF has besides its picture, page by page; empty for scans and for all other documents.

    Runs in this process, as `read_pages`.

    Raises:
        ImageError: the document is damaged or encrypted.
    """
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(_HEAD_BYTES):
            return ""
    import pypdfium2  # noqa: PLC0415 - only for documents

    try:
        with closing(pypdfium2.PdfDocument(path, password=options.password)) as pdf:
            return "\n".join(page.get_textpage().get_text_bounded() for page in pdf)
    except pypdfium2.PdfiumError as error:
        raise ImageError(f"{path.name!r} has no readable text: {error}") from None


def _scale(points: tuple[float, float], options: PageOptions, number: int) -> float:
    """Pixels per point; rotation is part of the size."""
    width, height = points
    if not (width > 0 and height > 0 and math.isfinite(width * height)):
        raise ImageError(f"has a page {number + 1} of {width} x {height} points")
    scale = (options.dpi or DEFAULT_DPI) / _POINTS_PER_INCH
    most = options.max_pixels if options.dpi else min(options.max_pixels, MODEL_PIXELS)
    # Sizes are rounded up: the largest scale with (width * scale + 1) * (height * scale + 1) = most.
    sides, area = width + height, width * height
    scale = min(scale, (math.sqrt(sides**2 + 4 * area * (most - 1)) - sides) / (2 * area))
    check_shape(
        (math.floor(width * scale), math.floor(height * scale)), f"page {number + 1}", options.max_pixels
    )
    return scale


def _num_frames(path: Path) -> int:
    """Images in a TIFF; at most _FRAMES_SEARCHED, as each has to be searched for."""
    try:
        with Image.open(path, formats=["TIFF"]) as tiff:
            for number in range(_FRAMES_SEARCHED):
                try:
                    tiff.seek(number)
                except EOFError:
                    return number
            return _FRAMES_SEARCHED
    except Exception:  # a damaged file: `check_image` says so
        return 1


def _tiff_pages(path: Path, options: PageOptions) -> Iterator[Page]:
    with Image.open(path, formats=["TIFF"]) as tiff:
        pages = []
        for number in range(_num_frames(path)):
            tiff.seek(number)
            if not int(tiff.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED_SIZE:  # type: ignore[attr-defined]
                pages.append(number)
        _check_count(len(pages), options)
        for number in pages:
            tiff.seek(number)
            check_shape(tiff.size, f"page {number + 1}", options.max_pixels)
            white_is_zero = is_white_zero(tiff)
            tiff.load()
            check_pixels(tiff)
            yield Page(to_rgb(ImageOps.exif_transpose(tiff), white_is_zero=white_is_zero))


def _heic_page(path: Path, options: PageOptions) -> Iterator[Page]:
    try:
        import pi_heif  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ImageError(
            "is a HEIC photo, which needs the package pi-heif (`pip install pi-heif`); or convert it to JPEG"
        ) from None
    photo = pi_heif.open_heif(path)
    check_shape(photo.size, "it", options.max_pixels)
    yield Page(to_rgb(photo.to_pillow()), lossy=True)  # the decoder has turned it upright


def _jpeg2000_page(path: Path, options: PageOptions) -> Iterator[Page]:
    with Image.open(path, formats=["JPEG2000"]) as image:
        check_shape(image.size, "it", options.max_pixels)
        image.load()
        check_pixels(image)
        yield Page(to_rgb(ImageOps.exif_transpose(image)), lossy=True)
