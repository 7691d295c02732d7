"""Reads documents in a process of its own, and writes their pages: hostile files crash or hang decoders."""

import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from finscribe_trainer.data.document_pages import PageOptions, read_pages, read_text_layer
from finscribe_trainer.data.image_folders import ImageError

_SECONDS = 300
"""Most that the pages of one document may take."""
_MEMORY_BYTES = 6 * 2**30
_JPEG_QUALITY = 95
_PNG_LEVEL = 3
"""Twice as fast as the default, and little larger."""


class PageProcess:
    """Writes pages; is started again after a document that stopped it.

    Args:
        options: how documents are read.
        seconds: most that a document may take.
    """

    def __init__(self, options: PageOptions, seconds: float = _SECONDS) -> None:
        self._options = options
        self._seconds = seconds
        self._process: Any = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def write(self, document: Path, target: Path) -> list[Path]:
        """Write the pages of a document as `target`-1.png and so on.

        Returns:
            the pages in their order; empty for an image that rows can name as it is.

        Raises:
            ImageError: the document can't be read.
        """
        result: list[Path] = self._ask(document, target)
        return result

    def text_layer(self, document: Path) -> str:
        """The text of a PDF; empty for a scan, and for any other document.

        Raises:
            ImageError: the document can't be read.
        """
        result: str = self._ask(document, None)
        return result

    def _ask(self, document: Path, target: Path | None) -> Any:
        if self._process is not None and not self._process.is_alive():
            self._stop()
        if self._connection is None:
            self._start()
        assert self._connection
        try:
            self._connection.send((document, target))
            if not self._connection.poll(self._seconds):
                self._stop()
                raise ImageError(f"{document.name!r} takes more than {self._seconds:g} s to decode")
            result: list[Path] | str | ImageError | OSError = self._connection.recv()
        except (EOFError, ConnectionError):
            self._stop()
            raise ImageError(f"{document.name!r} stops its decoder; it is damaged or hostile") from None
        if isinstance(result, Exception):
            raise result
        return result

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        # The password goes through a pipe, not on the command line.
        self._process = context.Process(target=_serve, args=(theirs, self._options), daemon=True)
        self._process.start()
        theirs.close()
        self._connection.recv()  # it has started: from now on, only a document can end it

    def _stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
        self._connection = self._process = None


def _serve(connection: Connection, options: PageOptions) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C ends the parent, which ends this process
    _limit_memory()
    connection.send(None)
    with contextlib.suppress(EOFError):
        while True:
            document, target = connection.recv()
            try:
                result: list[Path] | str | Exception = (
                    read_text_layer(document, options)
                    if target is None
                    else _write_pages(document, target, options)
                )
            except (ImageError, OSError) as error:
                result = error
            except MemoryError:
                result = ImageError(f"{document.name!r} needs too much memory to be decoded")
            connection.send(result)


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        return  # the system has no such limit; max_pixels still holds


def _write_pages(document: Path, target: Path, options: PageOptions) -> list[Path]:
    pages = read_pages(document, options)
    if pages is None:
        return []
    written: list[Path] = []
    try:
        for number, page in enumerate(pages, start=1):
            path = target.with_name(f"{target.name}-{number}{'.jpg' if page.lossy else '.png'}")
            page.image.save(path, quality=_JPEG_QUALITY, compress_level=_PNG_LEVEL)
            written.append(path)
    except ImageError:
        for path in written:
            path.unlink()
        raise
    return written
