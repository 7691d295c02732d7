"""What a document is: the canonical schema, its numbers and dates, its regions, and the rules it keeps."""
