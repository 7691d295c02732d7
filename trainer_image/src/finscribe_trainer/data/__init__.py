"""Rows and images: read, checked before anything is trained, and named by file and line when wrong."""
