"""What a model is given of a page: dark on white whatever the image's mode, and whole; else it is refused."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data import images
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.images import open_image

SIZE = (96, 64)
BOX = (20, 15, 60, 30)
"""The ink; everything else is paper."""


def grey(paper: float = 255, ink: float = 0, dtype: type = np.uint8) -> Image.Image:
    values = np.full(SIZE[::-1], paper, dtype)
    values[BOX[1] : BOX[3], BOX[0] : BOX[2]] = ink
    return Image.fromarray(values)


def clear(mode: str = "RGBA") -> Image.Image:
    """Black ink on a transparent ground that is black, too."""
    page = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ImageDraw.Draw(page).rectangle((BOX[0], BOX[1], BOX[2] - 1, BOX[3] - 1), fill=(0, 0, 0, 255))
    return page.convert(mode)


def white_is_zero() -> ImageFileDirectory_v2:
    tags = ImageFileDirectory_v2()
    tags[262] = 0
    return tags


def keyed(image: Image.Image, transparent: int) -> Callable[[Path], None]:
    return lambda path: image.save(path, transparency=transparent)


PAGES: dict[str, tuple[str, Image.Image | Callable[[Path], None]]] = {
    "RGBA": ("a.png", clear()),
    "grey with alpha": ("a.png", clear("LA")),
    "transparent palette": ("a.png", clear().quantize(16)),
    "WebP with alpha": ("a.webp", lambda path: clear().save(path, lossless=True)),
    "TIFF with alpha": ("a.tif", clear()),
    "TIFF with grey and alpha": ("a.tif", clear("LA")),
    "one transparent grey": ("a.png", keyed(grey(paper=7), transparent=7)),
    "one transparent grey of 16 bits": ("a.png", keyed(grey(700, 0, np.uint16), transparent=700)),
    "16 bits in a PNG": ("a.png", grey(65535, 0, np.uint16)),
    "16 bits in a TIFF": ("a.tif", grey(65535, 0, np.uint16)),
    "faint ink of 16 bits": ("a.png", grey(65535, 12000, np.uint16)),
    "12 bits in 16": ("a.tif", grey(4080, 0, np.uint16)),
    "10 bits in 16": ("a.png", grey(1000, 0, np.uint16)),
    "8 bits in 16": ("a.png", grey(255, 0, np.uint16)),
    "white is zero in 16 bits": (
        "a.tif",
        lambda path: grey(0, 65535, np.uint16).save(path, tiffinfo=white_is_zero()),
    ),
    "int32 with 16 bits": ("a.tif", grey(65535, 0, np.int32)),
    "int32 with all bits": ("a.tif", grey(2**31 - 1, 0, np.int32)),
    "float from 0 to 1": ("a.tif", grey(1.0, 0.0, np.float32)),
    "float with overshoot of a resampling": ("a.tif", grey(1.03, -0.02, np.float32)),
    "float from 0 to 255": ("a.tif", grey(255.0, 0.0, np.float32)),
    "float from 0 to 65535": ("a.tif", grey(65535.0, 0.0, np.float32)),
    "black and white": ("a.tif", lambda path: grey().convert("1").save(path, compression="group4")),
    "CMYK": ("a.jpg", grey().convert("CMYK")),
}


@pytest.mark.parametrize(("name", "page"), PAGES.values(), ids=PAGES)
def test_a_page_is_dark_on_white_whatever_its_mode(name, page, tmp_path, write_rows):
    page(tmp_path / name) if callable(page) else page.save(tmp_path / name)

    [example] = load_dataset(
        write_rows({"prompt": "Read.", "completion": "{}", "image": name}), 10**6
    ).examples
    seen = open_image(example.images[0])

    pixels = np.asarray(seen)
    assert (seen.mode, seen.size) == ("RGB", SIZE)
    assert pixels[2, 2].min() >= 245
    assert pixels[20, 40].max() <= 50  # the faint ink; all other is black


def test_the_shades_of_a_deep_grey_are_kept(tmp_path):
    shades = np.linspace(0, 65535, 96, dtype=np.uint16)
    Image.fromarray(np.tile(shades, (64, 1))).save(tmp_path / "a.png")
    seen = np.asarray(open_image(tmp_path / "a.png"))[0, :, 0]
    assert np.abs(seen - np.linspace(0, 255, 96)).max() <= 1


def test_a_deep_grey_is_rotated_by_its_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    grey(65535, 0, np.uint16).save(tmp_path / "a.png", exif=exif)
    assert open_image(tmp_path / "a.png").size == SIZE[::-1]


def frames(count: int) -> Callable[[Path], None]:
    others = [grey(paper=80 * n % 250) for n in range(1, count)]
    return lambda path: grey().save(path, save_all=True, append_images=others)


def write(content: bytes) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        path.write_bytes(content)

    return save


def repeated_scans(path: Path) -> None:
    """A progressive JPEG whose last scan is repeated: each repetition decodes all pixels again."""
    file = io.BytesIO()
    grey().save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content[[found.start() for found in re.finditer(rb"\xff\xda", content)][-1] : -2]
    path.write_bytes(content[:-2] + 100 * last + b"\xff\xd9")


HEIF = b"\0\0\0\x18ftyp%s\0\0\0\0mif1heic" + bytes(400)
REFUSED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "TIFF of two pages": ("a.tif", frames(2), "contains 2 pages"),
    "TIFF of many pages": ("a.tif", frames(12), "contains more than 10 pages"),
    "animated WebP": ("a.webp", frames(3), "contains 3 pages"),
    "animated PNG": ("a.png", frames(4), "contains 4 pages"),
    "strip": ("a.png", lambda path: Image.new("L", (4000, 4)).save(path), "4000 x 4 pixels, but one side"),
    "till roll": ("a.png", lambda path: Image.new("L", (4, 900)).save(path), "4 x 900 pixels, but one side"),
    "dot": ("a.png", lambda path: Image.new("L", (1, 1)).save(path), "1 x 1 pixels, but each side"),
    "hair": ("a.png", lambda path: Image.new("L", (3, 300)).save(path), "3 x 300 pixels, but each side"),
    "too many scans": ("a.jpg", repeated_scans, "JPEG of more than 20 scans"),
    "LAB": ("a.tif", lambda path: Image.new("LAB", SIZE).save(path), "in the colour space LAB"),
    "not a number": ("a.tif", grey(float("nan"), 0, np.float32).save, "no finite numbers"),
    "infinite": ("a.tif", grey(float("inf"), 0, np.float32).save, "no finite numbers"),
    "negative": ("a.tif", grey(0, -30000, np.int32).save, "values from -30000 to 0"),
    "PDF": ("a.pdf", grey().convert("RGB").save, "is a PDF document"),
    "HEIC": ("a.heic", write(HEIF % b"heic"), "is a HEIC photo"),
    "HEIC named as a JPEG": ("a.jpg", write(HEIF % b"mif1"), "is a HEIC photo"),
    "AVIF": ("a.png", write(HEIF % b"avif"), "is an AVIF image"),
    "video": ("a.png", write(HEIF % b"isom"), "is a video"),
    "JPEG 2000": ("a.jp2", grey().convert("RGB").save, "is a JPEG 2000 image"),
    "GIF": ("a.gif", grey().save, "is a GIF image"),
    "PostScript": ("a.png", write(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "is a PostScript document"),
    "Office": ("a.png", write(b"PK\x03\x04..."), "is a ZIP archive or an Office document"),
    "gzip": ("a.png", write(b"\x1f\x8b..."), "is a gzip archive"),
    "Git LFS": (
        "a.png",
        write(b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12345\n"),
        "is a Git LFS pointer.*git lfs pull",
    ),
    "HTML": ("a.jpg", write(b"\xef\xbb\xbf\n<!DOCTYPE html><html>403</html>"), "is an HTML page"),
    "XML": ("a.jpg", write(b"<?xml version='1.0'?><Error/>"), "is an XML document"),
    "SVG": ("a.svg", write(b"<?xml version='1.0'?><svg/>"), "is an SVG drawing"),
    "JSON": ("a.jpg", write(b'{"message": "not found"}'), "is a JSON text"),
    "empty": ("a.jpg", write(b""), "is empty"),
    "unknown": ("a.jpg", write(b"some bytes"), "not in a supported image format"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "save", "message"), REFUSED.values(), ids=REFUSED)
def test_an_image_that_no_model_can_read_is_refused_with_row_and_reason(
    name, save, message, tmp_path, write_rows, monkeypatch
):
    monkeypatch.setattr(images, "_MAX_COUNTED_PAGES", 10)
    grey().save(tmp_path / "good.png")
    save(tmp_path / name)
    rows = [{"prompt": "Read.", "completion": "{}", "image": image} for image in ("good.png", name)]

    with pytest.raises(UserError, match=rf"rows\.jsonl:2: image '{name}' .*{message}") as caught:
        load_dataset(write_rows(*rows), 10**6)
    assert caught.value.reason is FailureReason.DatasetInvalid


def test_a_photo_with_an_embedded_preview_is_one_page(tmp_path, write_rows):
    photo = grey().convert("RGB")
    photo.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[photo.resize((8, 8))])
    rows = {"prompt": "Read.", "completion": "{}", "image": "a.jpg"}
    assert load_dataset(write_rows(rows), 10**6).examples[0].sizes == (SIZE,)


def test_an_ordinary_progressive_jpeg_with_a_video_behind_it_is_read(tmp_path, write_rows):
    file = io.BytesIO()
    grey().convert("RGB").save(file, "JPEG", progressive=True)
    (tmp_path / "a.jpg").write_bytes(file.getvalue() + b"\xff\xda" * 1000)
    rows = {"prompt": "Read.", "completion": "{}", "image": "a.jpg"}
    assert load_dataset(write_rows(rows), 10**6).examples[0].sizes == (SIZE,)
