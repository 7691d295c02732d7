"""Augments training images in each epoch, and transforms the boxes in their answers accordingly."""
