"""The formats of other programs, one module each: how it is recognised, and how it is read."""

from finscribe_trainer.data_tools.importing.formats import (
    coco_text,
    csv_table,
    docvqa,
    donut,
    funsd,
    hf_parquet,
    imagefolder,
    label_studio,
    paddleocr,
    pdf_json,
    rows,
    sroie,
)
from finscribe_trainer.data_tools.importing.source import Format

FORMATS: dict[str, Format] = {
    "pdf-json": pdf_json,
    "imagefolder": imagefolder,
    "donut": donut,
    "sharegpt": rows.SHAREGPT,
    "alpaca": rows.ALPACA,
    "erniekit": rows.ERNIEKIT,
    "messages": rows.MESSAGES,
    "label-studio": label_studio,
    "coco-text": coco_text,
    "sroie": sroie,
    "funsd": funsd,
    "docvqa": docvqa,
    "paddleocr": paddleocr,
    "csv": csv_table,
    "hf-parquet": hf_parquet,
}
"""By the value of --from."""
