"""Finds out which format a folder or file has."""

from dataclasses import dataclass

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.exports import export_of_files, import_command
from finscribe_trainer.data_tools.importing.formats import FORMATS
from finscribe_trainer.data_tools.importing.source import Source

AUTO = "auto"
_GIVES_WAY = {"pdf-json": FORMATS.keys() - {"pdf-json", "csv"}, "csv": {"imagefolder", "label-studio"}}
"""Simple formats that the files of these others have, too."""


@dataclass(frozen=True)
class Recognition:
    """The format of a source."""

    format: str
    why: str
    """What shows it, as a clause."""


def recognise(source: Source, wanted: str = AUTO) -> Recognition:
    """The format of a source.

    Args:
        source: the folder or file.
        wanted: the value of --from.

    Raises:
        UserError: DatasetNotFound when there is no such path; DatasetInvalid when it has none of the formats,
            several, or not the wanted one.
    """
    if not source.path.exists():
        raise UserError(
            FailureReason.DatasetNotFound,
            f"{source.path}: no such file or folder.",
            "Name a local folder with documents, or a file that another program has exported. Copy those in "
            "a bucket first, as with `aws s3 sync`.",
        )
    names = FORMATS if wanted == AUTO else [wanted]
    found = {name: why for name in names if (why := FORMATS[name].recognise(source))}
    for simple, others in _GIVES_WAY.items():
        if others & found.keys():
            found.pop(simple, None)
    if len(found) == 1:
        [(name, why)] = found.items()
        return Recognition(name, why)
    if found:
        clauses = "; ".join(f"{name} ({why})" for name, why in found.items())
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{source.path} has several formats: {clauses}.",
            "Name one with --from, or import a single file.",
        )
    raise _unknown(source, wanted)


def _unknown(source: Source, wanted: str) -> UserError:
    what = "any of the formats" if wanted == AUTO else f"the format {wanted}"
    if export := export_of_files(path.name for path in source.files):
        remedy = f"It looks like {export.name}: {import_command(export)}."
    elif source.documents:
        remedy = (
            f"There are {len(source.documents)} documents, but no answers: put a JSON file of the same name "
            "beside each (docs/import.md)."
        )
    else:
        remedy = f"--from names a format: {', '.join(FORMATS)} (docs/import.md)."
    return UserError(FailureReason.DatasetInvalid, f"{source.path} is not in {what}.", remedy)
