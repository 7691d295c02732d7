"""The processes of a distributed run: launch, rendezvous, collective operations."""
