"""Turns rows into batches: encoding, augmentation, cached vision features, packing, selection by length."""
