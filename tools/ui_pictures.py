"""Makes the pictures of docs/ui.md: pages of the web view on a folder of trainings, in the tests' browser."""

import io
import shutil
import socket
import threading
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import sync_playwright

from finscribe_client.ui.app import Pages
from finscribe_client.ui.server import HOST, prepare
from finscribe_client.ui.training_folders import TrainingFolders
from tools.report_pictures import COLORS, FOLDER

WIDTH, HEIGHT = 1100, 1000
"""Of a picture, in pixels."""
PICTURES = {
    "ui-run.png": "/run?key=folder1/{run}",
    "ui-document.png": "/document?key=folder1/{run}&number={number}",
}
"""Each file with the page that it shows."""


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("run")
@click.option("--number", type=int, default=1, show_default=True, help="The document.")
@click.option(
    "--output-dir", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, show_default=True
)
def main(folder: Path, run: str, number: int, output_dir: Path) -> None:
    """Write docs/images/ui-*.png, of a RUN in a FOLDER of trainings.

    \b
    Exit codes:  0 done   1 no chromium
    """  # noqa: D301 - click reads \b as "keep these lines"
    program = shutil.which("chromium")
    if program is None:
        raise click.ClickException("There is no chromium. Run: make browser")
    with socket.create_server((HOST, 0)) as listener, sync_playwright() as playwright:
        server, address = prepare(Pages([TrainingFolders(folder, 1)]), listener)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(address)
        for name, path in PICTURES.items():
            page.goto(address.partition("/?")[0] + path.format(run=run, number=number))
            page.wait_for_load_state("networkidle")
            with Image.open(io.BytesIO(page.screenshot())) as picture:
                reduced = picture.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE)
                reduced.save(output_dir / name, optimize=True)
            click.echo(f"{output_dir / name}: {(output_dir / name).stat().st_size / 1000:.0f} kB")
        browser.close()
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
