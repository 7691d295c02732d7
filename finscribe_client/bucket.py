"""Reads results in the bucket with the user's own credentials, through the trainer's storage."""
