"""Reads what Weights & Biases writes offline: a LevelDB log of protobuf records."""

import json
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

_FILE_HEADER, _BLOCK, _CHUNK_HEADER = 7, 32768, 7
_FULL, _LAST = 1, 4


def curves_in(path: Path) -> dict[str, dict[int, float]]:
    """Each curve's points, by step."""
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for data in _records(path.read_bytes()):
        history = Record.FromString(data).history
        for item in history.item:
            name = item.key or ".".join(item.nested_key)
            if not name.startswith("_"):
                curves[name][history.step.num] = json.loads(item.value_json)
    return dict(curves)


def _records(data: bytes) -> Iterator[bytes]:
    """Records, put together from chunks: each is CRC (4 bytes), length (2), kind (1), and its part."""
    position, parts = _FILE_HEADER, b""
    while position + _CHUNK_HEADER <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _CHUNK_HEADER:
            position += left
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        position += _CHUNK_HEADER + length
        parts += data[position - length : position]
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""
