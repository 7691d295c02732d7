"""EXIF rotation of images."""

from pathlib import Path

from PIL import Image

from finscribe_trainer.data.images import check_image, open_image

ORIENTATION = 0x0112


def test_a_photo_is_rotated_by_its_exif_orientation(tmp_path: Path):
    photo = Image.new("L", (40, 20), 255)
    photo.putpixel((0, 19), 0)  # lower left as stored: the upper left once turned a quarter clockwise
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    photo.save(tmp_path / "photo.png", exif=exif)

    seen = open_image(tmp_path / "photo.png")

    assert seen.size == (20, 40)
    assert seen.getpixel((0, 0)) == (0, 0, 0)
    assert check_image(tmp_path / "photo.png", "photo.png", 1000)[0] == seen.size
