"""Knows whether this replica may write: it held the Lease so recently that no other one can hold it."""

import math
import time
from collections.abc import Callable

from finscribe_operator.cluster import NotLeaderError


class Leadership:
    """Written by `election`; asked before every write. It ends by itself unless it is extended.

    Times are those of the monotonic clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.now = monotonic
        self.transitions = 0
        """How often this replica began to lead."""
        self._until = -math.inf

    @classmethod
    def permanent(cls) -> "Leadership":
        """That of an operator that runs alone, without a Lease."""
        leadership = cls()
        leadership.extend(math.inf)
        return leadership

    def extend(self, until: float) -> None:
        """This replica leads until then."""
        self.transitions += not self.is_held
        self._until = until

    def end(self) -> None:
        """This replica does not lead any more."""
        self._until = -math.inf

    @property
    def seconds_left(self) -> float:
        """How long this replica leads if it is not extended; negative when it does not."""
        return self._until - self.now()

    @property
    def is_held(self) -> bool:
        """Whether this replica leads now."""
        return self.seconds_left > 0

    def require(self) -> None:
        """Return if this replica leads.

        Raises:
            NotLeaderError: it does not.
        """
        if not self.is_held:
            raise NotLeaderError("Nothing is written, as this replica does not hold the Lease.")
