"""Small documents of every kind."""

import base64
import hashlib
import io
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (96, 64)
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9j"
    "AAAAAERAAAEAAQAAAAABegABAAAAAAAAAEAAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlw"
    "cnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AA"
    "AAMAkAAAAwAAAwAeoDCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAA"
    "AABgAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAEhtZGF0AAAAPCgBr1j1bbeg8ODyGNeK6q+5euyH8/Va"
    "ccn828QfENd3ZJnXIIwSCB7guUIprbjRC3Zt0U3J+YDc8+kE6A=="
)
"""A HEIC photo of `page(20)`: the encoder is no dependency."""


def page(left: int = 20, size: tuple[int, int] = SIZE) -> Image.Image:
    """White paper with a black box, 40 x 15 pixels, whose place tells pages apart."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((left, 15, left + 39, 29), fill="black")
    return image


def pdf(path: Path, *lefts: int, rotate: int = 0) -> Path:
    """A PDF of one page for each box, at 72 dpi: a pixel is a point."""
    first, *others = [page(left) for left in lefts]
    first.save(path, "PDF", save_all=True, append_images=others, resolution=72, quality=95)
    if rotate:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"/Type /Page\n", f"/Type /Page\n/Rotate {rotate}\n".encode()))
    return path


def png() -> bytes:
    file = io.BytesIO()
    page().save(file, "PNG")
    return file.getvalue()


_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def encrypted_pdf(path: Path, password: str) -> Path:
    """A PDF with an empty page that needs a password (PDF 1.4, 3.5: the standard handler, revision 2)."""
    user, permissions = (password.encode() + _PADDING)[:32], (-4).to_bytes(4, "little", signed=True)
    owner = _rc4(hashlib.md5(user).digest()[:5], user)
    key = hashlib.md5(user + owner + permissions + b"\0").digest()[:5]
    check = _rc4(key, _PADDING)
    path.write_text(
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 96 64]>>endobj\n"
        f"4 0 obj<</Filter/Standard/V 1/R 2/P -4/O<{owner.hex()}>/U<{check.hex()}>>>endobj\n"
        "trailer<</Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]>>\n"
    )
    return path


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
