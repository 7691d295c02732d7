"""Makes the tutorial's pictures from a report of `finscribe demo`, with the browser that the tests use."""

import io
import shutil
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import FloatRect, Page, sync_playwright

FOLDER = Path(__file__).parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1100, 800
"""Of the window, in pixels."""
COLORS = 128
"""A report has few; a palette halves the size of the file."""
MAX_BYTES = 200_000
"""Of one picture."""
PICTURES = {
    "demo-result.png": ("header", "main > section:has(h2:text-is('Metrics'))"),
    "demo-answer.png": ("article:has-text('Typical')",),
}
"""Each file with the elements of the report that it shows, from the first to the last."""


@click.command()
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, show_default=True)
def main(report: Path, folder: Path) -> None:
    """Write docs/images/demo-*.png from the report.html of a demo.

    \b
    Exit codes:  0 done   1 no chromium, or the report lacks what a picture shows
    """  # noqa: D301 - click reads \b as "keep these lines"
    for path in make_pictures(report, folder):
        click.echo(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def make_pictures(report: Path, folder: Path) -> list[Path]:
    """Write the pictures into the folder.

    Raises:
        click.ClickException: there is no chromium, or a picture is too large.
    """
    program = shutil.which("chromium")
    if program is None:
        raise click.ClickException("There is no chromium. Run: make browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", offline=True
        )
        page = context.new_page()
        page.goto(report.resolve().as_uri())
        paths = [_picture(page, folder / name, elements) for name, elements in PICTURES.items()]
        browser.close()
    return paths


def _picture(page: Page, path: Path, elements: tuple[str, ...]) -> Path:
    boxes = [page.locator(element).first.bounding_box() for element in elements]
    top = min(box["y"] for box in boxes if box)
    bottom = max(box["y"] + box["height"] for box in boxes if box)
    clip = FloatRect(x=0, y=max(0, top - 16), width=WIDTH, height=bottom - top + 32)
    screenshot = page.screenshot(clip=clip, full_page=True)
    with Image.open(io.BytesIO(screenshot)) as picture:
        picture.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    if path.stat().st_size > MAX_BYTES:
        raise click.ClickException(
            f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are allowed."
        )
    return path


if __name__ == "__main__":
    main()
