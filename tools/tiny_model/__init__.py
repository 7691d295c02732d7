"""Makes a small pretrained PaddleOCR-VL that reads small pages, from this repository and a seed."""
