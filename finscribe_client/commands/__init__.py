"""The commands of `finscribe` for jobs on a cluster, one per file."""
