"""Training images, changed a little each time they are seen; the boxes in their answers move along."""
