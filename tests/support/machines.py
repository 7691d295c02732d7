"""Starts the trainer as the pods of a run do, on one or several machines, which are processes here."""

import signal
import socket
from collections.abc import Iterator

import psutil

from tests.support.trainer_process import TrainerProcess


class Machine(TrainerProcess):
    """A pod: its launcher, in a process group of its own, with its own folder."""

    def kill_trainer(self, rank: int = 0) -> None:
        """SIGKILL a process of the training, by its number on this machine; the launcher remains."""
        children = psutil.Process(self.process.pid).children()
        next(child for child in children if child.environ().get("LOCAL_RANK") == str(rank)).kill()

    def drain(self) -> None:
        """What a kubelet sends to the container of a pod that is evicted."""
        self.process.send_signal(signal.SIGTERM)

    def ends(self) -> int:
        code = super().ends()
        return code if code >= 0 else 128 - code  # as a container's


def nodes_environment(nodes: int, processes: int) -> Iterator[dict[str, str]]:
    """The variables of each machine that say how many work together; none for a single process.

    Args:
        nodes: machines.
        processes: processes of the training on each machine.
    """
    if nodes == processes == 1:
        yield {}
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"PET_NNODES": str(nodes), "PET_NPROC_PER_NODE": str(processes), "PET_MASTER_PORT": port}
    common |= {"PET_MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    for rank in range(nodes):
        yield {**common, "PET_NODE_RANK": str(rank)}
