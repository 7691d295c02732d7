"""Follows the log of a pod for hours: reopens a connection that was cut, and repeats no line."""

import re
import time
from collections.abc import Callable, Iterator, Mapping

from finscribe_client.errors import ClientError, ClientReason

PAUSE_SECONDS = 1.0
"""Before a connection is opened again."""

_FOLLOW = {"follow": "true", "timestamps": "true"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$")
"""Of fixed length, in the time zone of the node: as texts they have the order of the times."""


def stream_log(
    read: Callable[[Mapping[str, str]], Iterator[str]],
    is_running: Callable[[], bool],
    query: Mapping[str, str],
) -> Iterator[str]:
    """The lines of a log until its container has ended.

    Args:
        read: the lines of one connection, for a query.
        is_running: whether the container may write more.
        query: of the first connection.
    """
    last, num_at_last = "", 0
    while True:
        may_go_on = is_running()  # asked before: what is written until the end is read below
        skipped_until, num_skipped = last, num_at_last
        try:
            for line in read({**({"sinceTime": last} if last else query), **_FOLLOW}):
                moment, _, text = line.partition(" ")
                if not _MOMENT.match(moment):  # a message of the node
                    yield line
                    continue
                if moment < skipped_until:  # sinceTime has whole seconds only
                    continue
                if moment == skipped_until and num_skipped:
                    num_skipped -= 1
                    continue
                num_at_last = num_at_last + 1 if moment == last else 1
                last = moment
                yield text
        except ClientError as error:
            if error.reason != ClientReason.ClusterUnreachable:
                raise
        if not may_go_on:
            return
        time.sleep(PAUSE_SECONDS)
