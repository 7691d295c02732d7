"""Opens the key-value store by which a run's processes find each other."""

import os
from datetime import timedelta

from torch.distributed import (  # type: ignore[attr-defined] # public, but re-exported without __all__
    PrefixStore,
    Store,
    TCPStore,
)
from torch.distributed.rendezvous import rendezvous

from finscribe_trainer.distributed.environment import ENV_STORE_SOCKET


def open_store(timeout: timedelta) -> Store:
    """The store, as the environment variables of the launcher describe it.

    torch's own would listen on all interfaces, and accepts every connection.
    """
    store: Store
    socket = os.environ.get(ENV_STORE_SOCKET)
    if socket is None:
        store, _, _ = next(rendezvous("env://", timeout=timeout))
    else:
        store = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            is_master=bool(socket),
            timeout=timeout,
            master_listen_fd=int(socket) if socket else None,
        )
    return PrefixStore("finscribe", store)
