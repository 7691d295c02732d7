"""Stores objects as JSON files with uid, generation and resource version, in place of the API server."""

import json
import uuid
from pathlib import Path

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_operator.clock import utc_now
from finscribe_operator.local.stored_object import check_stored
from finscribe_operator.objects import Object

# The uid is derived from name and directory: the same manifest run again there must find its checkpoints, and
# runs of other directories must not have the same names.
_UID_NAMESPACE = uuid.UUID("5a3a5a0c-9d5e-5d0e-8a35-5f1ca5c21be0")


class ObjectFiles:
    """Objects below `<directory>/<kind>/<namespace>/<name>.json`. Secrets are rejected."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None.

        Raises:
            UserError: its file does not parse, or is no object of this kind.
        """
        try:
            return self._read(self._path(kind, namespace, name))
        except FileNotFoundError:
            return None

    def list(self, kind: str) -> list[Object]:
        """All objects of a kind, oldest first."""
        found = [self._read(path) for path in (self._directory / kind).glob("*/*.json")]
        return sorted(found, key=lambda o: (o["metadata"]["creationTimestamp"], o["metadata"]["name"]))

    def put(self, obj: Object) -> Object:
        """Create or replace an object; returns it with uid, timestamps and versions set.

        Its generation increases when its spec changes.
        """
        kind, meta = obj["kind"], dict(obj["metadata"])
        assert kind != "Secret", "Secrets are never written to disk"
        namespace = meta.setdefault("namespace", "default")
        old = self.get(kind, namespace, meta["name"])
        before = old["metadata"] if old else {}
        changed = old is not None and old.get("spec") != obj.get("spec")
        meta["uid"] = before.get("uid") or meta.get("uid") or str(uuid.uuid4())
        meta["creationTimestamp"] = before.get("creationTimestamp") or utc_now()
        meta["generation"] = before.get("generation", 1) + (1 if changed else 0)
        meta["resourceVersion"] = str(int(before.get("resourceVersion", 0)) + 1)
        stored = {**obj, "metadata": meta}
        self._write(self._path(kind, namespace, meta["name"]), stored)
        return stored

    def delete(self, kind: str, namespace: str, name: str) -> Object | None:
        """Delete an object; returns it, or None when there was none."""
        old = self.get(kind, namespace, name)
        self._path(kind, namespace, name).unlink(missing_ok=True)
        return old

    def stable_uid(self, kind: str, namespace: str, name: str) -> str:
        """A uid that depends on name and directory only."""
        return str(uuid.uuid5(_UID_NAMESPACE, f"{self._directory.resolve()}/{kind}/{namespace}/{name}"))

    def _path(self, kind: str, namespace: str, name: str) -> Path:
        return self._directory / kind / namespace / f"{name}.json"

    def _read(self, path: Path) -> Object:
        kind = path.relative_to(self._directory).parts[0]
        try:
            return check_stored(kind, json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, RecursionError) as error:
            raise UserError(
                FailureReason.InvalidConfig,
                f"{path}: is damaged: {error}.",
                f"Delete {self._directory} and run again: checkpoints are in the bucket.",
            ) from error

    @staticmethod
    def _write(path: Path, obj: Object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(obj, indent=2) + "\n").encode())
