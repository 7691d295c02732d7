"""Collects the problems of a data set's rows, to report them together in one error."""

from finscribe_core.errors import FailureReason, UserError

MAX_LISTED = 20


class RowProblems:
    """Problems found so far: the first MAX_LISTED are kept, the others counted."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.count = 0

    def add(self, where: str, problem: str) -> None:
        """Add a problem of the row at `file:line`."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(f"{where}: {problem}.")

    def raise_if_any(self) -> None:
        """Raise if there are any problems.

        Raises:
            UserError: DatasetInvalid, naming the first problems.
        """
        if not self.count:
            return
        more = self.count - len(self.listed)
        tail = [f"... and {more} more problems."] if more else []
        raise UserError(
            FailureReason.DatasetInvalid,
            "\n".join([*self.listed, *tail]),
            "Correct or remove these rows; docs/data.md shows each row format.",
        )
