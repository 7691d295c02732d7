"""The launchers of several machines: how they meet, and which exit code each has, by real connections."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from finscribe_core.constants import (
    EXIT_DONE,
    EXIT_INTERNAL,
    EXIT_PEER_LOST,
    EXIT_RETRY,
    EXIT_USER_ERROR,
)
from finscribe_core.errors import UserError
from finscribe_trainer.distributed.nodes import Peers, Place, read_place

PATIENCE = 20
KILLED = 137


def never() -> bool:
    return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def meet(places: list[Place]) -> tuple[list[Peers], list[tuple[str, int] | None]]:
    """The peers of each machine, once all have met."""
    peers = [Peers(place) for place in places]
    stores: list[tuple[str, int] | None] = [None] * len(peers)

    def run(number: int) -> None:
        stores[number] = peers[number].meet(1234 if number == 0 else 0, never)

    threads = [threading.Thread(target=run, args=(number,)) for number in reversed(range(len(peers)))]
    for thread in threads:  # the first machine comes last
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return peers, stores


@pytest.fixture
def places() -> list[Place]:
    first = Place(3, 0, "127.0.0.1", free_port())
    return [replace(first, rank=rank) for rank in range(3)]


def connection(peers: Peers, rank: int = 0) -> socket.socket:
    return peers._connections[rank]._socket


def ends_without_a_message(first: Peers, other: Peers) -> None:
    connection(other).close()
    wait_until(first.have_ended)


def loses_its_network(first: Peers, other: Peers) -> None:
    reset = struct.pack("ii", 1, 0)  # instead of a proper end, an error on the other side
    connection(other).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    connection(other).close()
    wait_until(first.have_ended)


def says(*words: str) -> Callable[[Peers, Peers], None]:
    def act(first: Peers, other: Peers) -> None:
        for word in words:
            other.say(word)
        wait_until(lambda: first.have_ended() or bool(first._finished) or first._is_cause_elsewhere)

    return act


ENDS = {
    # what the second machine does; exit codes of its processes and of the first machine's; of both machines
    "killed while its launcher remains": (says("failed"), KILLED, EXIT_PEER_LOST, KILLED, EXIT_PEER_LOST),
    "a defect": (says("failed"), EXIT_INTERNAL, KILLED, EXIT_INTERNAL, EXIT_PEER_LOST),
    "a user error": (says("failed"), EXIT_USER_ERROR, EXIT_PEER_LOST, EXIT_USER_ERROR, EXIT_PEER_LOST),
    "killed with its launcher": (ends_without_a_message, None, EXIT_PEER_LOST, None, EXIT_PEER_LOST),
    "its network is gone": (loses_its_network, None, EXIT_PEER_LOST, None, EXIT_RETRY),
    "no machine has a cause": (
        says("following"),
        EXIT_PEER_LOST,
        EXIT_PEER_LOST,
        EXIT_PEER_LOST,
        EXIT_RETRY,
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_restart_of_all_machines_counts_once_by_the_exit_code_of_the_one_that_is_the_cause(case, places):
    act, others_code, firsts_code, others_exit, firsts_exit = ENDS[case]
    (first, other, third), _ = meet(places)
    act(first, other)
    assert first.have_ended()
    assert first.exit_code(firsts_code, stopped=False) == firsts_exit
    if others_exit is not None:
        assert other.exit_code(others_code, stopped=False) == others_exit
    first.say("following")
    wait_until(third.have_ended)
    assert third.exit_code(EXIT_PEER_LOST, stopped=False) == EXIT_PEER_LOST
    assert third.exit_code(143, stopped=False) == EXIT_PEER_LOST, "the launcher has ended its processes"


def test_a_failure_of_the_first_machine_counts_by_its_own_code(places):
    (first, other, _third), _ = meet(places)
    first.say("failed")
    wait_until(other.have_ended)
    assert other.exit_code(EXIT_PEER_LOST, stopped=False) == EXIT_PEER_LOST
    other.say("following")
    wait_until(first.have_ended)
    assert first.exit_code(KILLED, stopped=False) == KILLED


def test_a_stop_of_one_machine_is_no_failure_of_the_others_and_gives_them_time_to_save(places):
    (first, other, _third), _ = meet(places)
    says("stopping")(first, other)
    assert not first.have_ended()
    assert other.exit_code(EXIT_PEER_LOST, stopped=True) == EXIT_RETRY
    first.say("failed")  # its first process reports the stop of all
    assert first.exit_code(EXIT_RETRY, stopped=False) == EXIT_PEER_LOST


def test_machines_that_have_finished_wait_for_the_first_one_which_does_not_need_them(places):
    (first, other, third), _ = meet(places)
    says("done")(first, other)
    connection(other).close()
    third.say("done")
    time.sleep(0.1)
    assert not first.have_ended()
    assert not third.is_done
    first.say("done")
    wait_until(lambda: third.have_ended() or third.is_done)
    connection(first, 2).close()
    assert not third.have_ended()
    assert first.exit_code(EXIT_DONE, stopped=False) == EXIT_DONE


def test_machines_meet_whoever_comes_first_and_a_stranger_or_one_that_restarts_is_no_obstacle(places):
    port = places[0].port
    first, stores = Peers(places[0]), []
    gathering = threading.Thread(target=lambda: stores.append(first.meet(1234, never)))
    gathering.start()

    def connect(line: bytes) -> socket.socket:
        wait_until(lambda: _accepts(port))
        connected = socket.create_connection(("127.0.0.1", port))
        connected.sendall(line)
        return connected

    strangers = [connect(line) for line in (b"GET / HTTP/1.1\r\n", b"join 0\n", b"join 3\n", b"join x\n")]
    connect(b"join 1\n").close()
    peers, found = meet(places[1:])
    gathering.join(PATIENCE)
    assert stores == [("127.0.0.1", 1234)]
    assert found == [("127.0.0.1", 1234)] * 2
    assert not first.have_ended()
    assert not any(each.have_ended() for each in peers)
    for stranger in strangers:
        stranger.close()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("rank", [0, 1])
def test_a_request_to_stop_ends_the_wait(rank, places):
    assert Peers(places[rank]).meet(1234, lambda: True) is None


INVALID = {
    "a range": {"PET_NNODES": "1:4"},
    "no rank": {"PET_NNODES": "2", "PET_MASTER_ADDR": "there"},
    "a rank too large": {"PET_NNODES": "2", "PET_NODE_RANK": "2", "PET_MASTER_ADDR": "there"},
    "no address": {"PET_NNODES": "2", "PET_NODE_RANK": "1"},
    "no port": {"PET_NNODES": "2", "PET_NODE_RANK": "1", "PET_MASTER_ADDR": "there", "PET_MASTER_PORT": "a"},
}


@pytest.mark.parametrize("case", INVALID)
def test_variables_that_name_no_place_are_user_errors(case, monkeypatch):
    for name, value in INVALID[case].items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="PET_"):
        read_place()


def test_the_place_is_read_from_the_variables_of_torchrun(monkeypatch):
    assert read_place() == Place()
    for name, value in {"PET_NNODES": "2", "PET_NODE_RANK": "1", "PET_MASTER_ADDR": "there"}.items():
        monkeypatch.setenv(name, value)
    assert read_place() == Place(2, 1, "there", 29500)
