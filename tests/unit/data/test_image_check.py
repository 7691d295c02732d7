"""A stop does not wait for an image that takes long to decode."""

import os
import threading
from pathlib import Path

import pytest
from PIL import Image

from finscribe_trainer.data.image_check import ImageCheck
from finscribe_trainer.data.image_folders import Folder, ImageFolders
from finscribe_trainer.runtime.stop_signal import StopRequested


def test_a_stop_leaves_an_image_that_is_still_read(tmp_path: Path):
    os.mkfifo(tmp_path / "slow")  # reading it blocks, as decoding a large image does
    (tmp_path / "slow.png").symlink_to("slow")
    Image.new("L", (9, 9)).save(tmp_path / "good.png")
    stop = threading.Event()
    with ImageCheck(Blocking(Folder("f", tmp_path)), 10**6, stop) as images:
        assert images.check(["good.png"])["good.png"]
        stop.set()
        with pytest.raises(StopRequested):
            images.check(["good.png", "slow.png"])


class Blocking(ImageFolders):
    """Takes a named pipe for a file, which `ImageFolders` does not."""

    def find(self, name: str) -> Path:
        """The path as it is."""
        return self.rows.path / name


def test_the_threads_of_a_check_do_not_outlive_the_process(tmp_path: Path):
    with ImageCheck(ImageFolders(Folder("f", tmp_path)), 10**6):
        started = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    assert all(thread.daemon for thread in started)
