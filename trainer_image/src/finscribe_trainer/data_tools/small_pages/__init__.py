"""Small pages of text in a grid of cells: their characters, values and pixels."""
