"""Collects what is wrong with a data set, so that all of it is reported at once."""

from finscribe_core.errors import FailureReason, UserError

MAX_SHOWN = 20


class Findings:
    """Problems found so far; the first ones are kept, the rest counted."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.count = 0

    def add(self, where: str, problem: str) -> None:
        """Note a problem at `file:line`."""
        self.count += 1
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(f"{where}: {problem}.")

    def raise_if_any(self) -> None:
        """Stop here if anything was found.

        Raises:
            UserError: DatasetInvalid, naming the first problems.
        """
        if not self.count:
            return
        more = self.count - len(self.shown)
        tail = [f"... and {more} more problems."] if more else []
        raise UserError(
            FailureReason.DatasetInvalid,
            "\n".join([*self.shown, *tail]),
            "Correct or remove these rows; docs/data.md shows each row format.",
        )
