"""The pages of PDFs, TIFFs and photos come in their order, upright and limited in size, or are refused."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from finscribe_trainer.data.document_pages import PageOptions, images_of
from finscribe_trainer.data.image_folders import ImageError
from tests.unit.data_tools.importing.documents import HEIC, SIZE, encrypted_pdf, page, pdf

OPTIONS = PageOptions(dpi=72)


def left_of_box(image: Image.Image) -> int:
    """Where the black box begins; the paper around it is white."""
    grey = np.asarray(image.convert("L"))
    assert grey[5, 5] > 240
    return int(np.flatnonzero(grey[22] < 60)[0])


def tiff(path: Path) -> None:
    thumbnail = page(5, (24, 16))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    page(20).save(path, save_all=True, append_images=[thumbnail, page(40).convert("L"), page(50)])


def heic(path: Path) -> None:
    path.write_bytes(HEIC)


DOCUMENTS: dict[str, tuple[str, Callable[[Path], object], list[int]]] = {
    "PDF": ("a.pdf", lambda path: pdf(path, 20, 40, 30), [20, 40, 30]),
    "PDF without its suffix": ("a", lambda path: pdf(path, 20), [20]),
    "TIFF of several pages": ("a.tif", tiff, [20, 40, 50]),
    "TIFF of one page": ("a.tif", lambda path: page(20).save(path), [20]),
    "HEIC": ("a.heic", heic, [20]),
    "JPEG 2000": ("a.jp2", lambda path: page(20).save(path), [20]),
    "PNG": ("a.png", lambda path: page(20).save(path), [20]),
}


@pytest.mark.parametrize(("name", "save", "lefts"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_all_pages_come_in_their_order(name, save, lefts, tmp_path):
    save(tmp_path / name)
    images = list(images_of(tmp_path / name, OPTIONS))
    assert [image.mode for image in images] == ["RGB"] * len(lefts)
    assert [image.size for image in images] == [SIZE] * len(lefts)
    found = [left_of_box(image) for image in images]
    assert np.abs(np.array(found) - lefts).max() <= 1


def test_a_page_is_turned_as_its_document_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = page().transpose(Image.Transpose.ROTATE_90)
    upright.save(tmp_path / "a.jpg", exif=exif)
    [photo] = images_of(tmp_path / "a.jpg", OPTIONS)
    assert (photo.size, abs(left_of_box(photo) - 20) <= 1) == (SIZE, True)
    [turned] = images_of(pdf(tmp_path / "a.pdf", 20, rotate=90), OPTIONS)
    assert turned.size == SIZE[::-1]


def test_the_resolution_is_the_one_given_or_what_the_model_reads(tmp_path):
    def size(dpi: int | None, max_pixels: int = 50_000_000) -> tuple[int, int]:
        [image] = images_of(tmp_path / "a.pdf", PageOptions(dpi, max_pixels))
        return image.size

    pdf_of_a4 = pypdfium2.PdfDocument.new()
    pdf_of_a4.new_page(595, 842)
    pdf_of_a4.save(tmp_path / "a.pdf")
    assert size(72) == (595, 842)
    assert size(300) == (2480, 3509)
    width, height = size(None)
    assert 2_750_000 < width * height <= 2_822_400
    assert np.prod(size(300, 100_000)) <= 100_000


def wide(path: Path) -> None:
    document = pypdfium2.PdfDocument.new()
    document.new_page(14400, 3)
    document.save(path)


def many_frames(path: Path) -> None:
    page().save(path, save_all=True, append_images=[page()] * 30)


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "encrypted": (
        "a.pdf",
        lambda path: encrypted_pdf(path, "secret"),
        r"'a.pdf' is encrypted, and needs a password \(--password-file\)",
    ),
    "damaged": (
        "a.pdf",
        lambda path: path.write_bytes(b"%PDF-1.7\n" + bytes(500)),
        "'a.pdf' is no readable PDF",
    ),
    "cut off": ("a.tif", lambda path: path.write_bytes(b"II*\0\x08\0\0\0" + bytes(3)), "'a.tif' is"),
    "too many pages": ("a.pdf", lambda path: pdf(path, *[20] * 21), "has 21 pages, more than 20"),
    "too many pages in a TIFF": ("a.tif", many_frames, "has 31 pages, more than 20"),
    "a strip": ("a.pdf", wide, "page 1 has .* one side may be at most 200 times"),
    "an empty file": ("a.pdf", lambda path: path.write_bytes(b""), "is empty"),
    "a damaged HEIC": ("a.heic", lambda path: path.write_bytes(HEIC[:300]), "'a.heic' is damaged"),
    "too large": ("a.jp2", lambda path: page(size=(400, 300)).save(path), "more than max_image_pixels"),
}


@pytest.mark.parametrize(("name", "save", "message"), REFUSED.values(), ids=REFUSED)
def test_a_document_that_can_not_be_read_as_a_whole_is_refused(name, save, message, tmp_path):
    save(tmp_path / name)
    with pytest.raises(ImageError, match=message):
        list(images_of(tmp_path / name, PageOptions(max_pixels=100_000)))


def test_without_the_heic_package_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    heic(tmp_path / "a.heic")
    with pytest.raises(ImageError, match=r"needs the package pi-heif .*pip install pi-heif"):
        list(images_of(tmp_path / "a.heic", OPTIONS))


def test_a_password_opens_an_encrypted_document_and_is_not_shown(tmp_path):
    path = encrypted_pdf(tmp_path / "a.pdf", "secret")
    options = PageOptions(dpi=72, password="secret")
    assert [image.size for image in images_of(path, options)] == [SIZE]
    assert "secret" not in repr(options)
    with pytest.raises(ImageError, match="needs another password than the one given") as caught:
        list(images_of(path, PageOptions(password="guess")))
    assert "guess" not in str(caught.value)
