"""Names of environment variables that the launcher sets for the processes of a run."""

ENV_STORE_SOCKET = "FINSCRIBE_STORE_SOCKET"
"""File descriptor of the socket, listening on the loopback interface, that the first process gets for the
store; empty in the other processes. Unset under torchrun, whose store all machines must reach."""
