"""Translates paths inside a container to directories of this machine."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Mounts:
    """Replaces a container's mount paths in texts by local directories."""

    def __init__(self, directories: Mapping[str, Path]) -> None:
        self.directories = directories
        longest_first = sorted(directories, key=len, reverse=True)
        alternatives = "|".join(re.escape(path) for path in longest_first)
        # A match must not continue another path: s3://bucket/workspace is not a mount path.
        # One pattern for all paths, so that a replacement is not replaced again.
        self._pattern = re.compile(rf"(?<![\w./-])({alternatives})(?=$|[/:,;\s\"'])") if directories else None

    def translate(self, text: str) -> str:
        """The text with every mounted path replaced by its directory.

        >>> Mounts({"/workspace": Path("/home/me/w")}).translate("--out=/workspace/output")
        '--out=/home/me/w/output'
        """
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: str(self.directories[match[1]]), text)

    def translate_all(self, value: Any, untouched: frozenset[str] = frozenset()) -> Any:
        """Translate every text in a JSON value, except the values of the keys in `untouched`."""
        if isinstance(value, str):
            return self.translate(value)
        if isinstance(value, list):
            return [self.translate_all(item, untouched) for item in value]
        if isinstance(value, dict):
            return {k: v if k in untouched else self.translate_all(v, untouched) for k, v in value.items()}
        return value
