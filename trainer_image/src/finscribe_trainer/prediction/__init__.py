"""`finscribe predict`: reads documents without ground truth, and writes the answers with their confidence."""
