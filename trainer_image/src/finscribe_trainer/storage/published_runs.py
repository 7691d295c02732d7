"""Lists and deletes the results of the runs below an output prefix."""

from collections import defaultdict

from finscribe_core.constants import MANIFEST_FILE, RUNS_PREFIX, TRAININGS_PREFIX
from finscribe_core.errors import FailureReason
from finscribe_trainer.storage.bucket import (
    ListedObject,
    delete,
    delete_manifests_first,
    list_objects,
    read_json,
)
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.uri import ObjectUri

_MISSING = FailureReason.OutputNotFound


class PublishedRuns:
    """The runs below an output prefix, as they are when this is created."""

    def __init__(self, connection: Connection, output: ObjectUri) -> None:
        self._connection = connection
        self._objects: dict[str, list[ListedObject]] = defaultdict(list)
        """By the run's name."""
        self._trainings: dict[str, list[ObjectUri]] = defaultdict(list)
        """The files that name a run as that of a training, by the run's name."""
        for item in list_objects(connection, output.below(RUNS_PREFIX), _MISSING):
            self._objects[item.relative.partition("/")[0]].append(item)
        for item in list_objects(connection, output.below(TRAININGS_PREFIX), _MISSING, deep=False):
            self._trainings[str((read_json(connection, item.uri) or {}).get("run"))].append(item.uri)

    def newest_first(self) -> list[str]:
        """The names of the complete runs, by the times of their manifests, as far as they are known."""
        written = {
            name: item.version.modified
            for name, objects in self._objects.items()
            for item in objects
            if item.relative == f"{name}/{MANIFEST_FILE}" and item.version.modified
        }
        return sorted(written, key=lambda name: written[name], reverse=True)

    def delete(self, name: str) -> None:
        """Delete a run and the files that name it, its manifest before its other files."""
        for uri in self._trainings[name]:
            delete(self._connection, uri)
        delete_manifests_first(self._connection, self._objects[name])
