"""Renders an invoice as a page image, with Pillow's default font."""

from PIL import Image, ImageDraw, ImageFont

from finscribe_trainer.data_tools.sample.invoices import Invoice, money

PAGE = (420, 594)
"""Width and height in pixels: an A4 page at about 50 dpi."""
_MARGIN = 28
_COLUMNS = (_MARGIN, 210, 270, 392)
"""x of description, quantity, unit price and (its right edge) line total."""
_GREY = (110, 110, 110)


def render(invoice: Invoice) -> Image.Image:
    """Render the page: vendor, client, line items, totals."""
    page = Image.new("RGB", PAGE, "white")
    draw = ImageDraw.Draw(page)
    _draw_head(draw, invoice)
    y = _draw_table(draw, invoice, top=200)
    _draw_totals(draw, invoice, top=y + 20)
    return page


def _draw_head(draw: ImageDraw.ImageDraw, invoice: Invoice) -> None:
    draw.rectangle((0, 0, PAGE[0], 12), fill=(40, 70, 120))
    draw.text((_MARGIN, 30), invoice.vendor, fill="black", font=ImageFont.load_default(24))
    draw.text((_COLUMNS[3], 36), "INVOICE", fill=_GREY, font=ImageFont.load_default(18), anchor="ra")
    font = ImageFont.load_default(14)
    draw.text((_MARGIN, 90), "Bill to", fill=_GREY, font=font)
    draw.text((_MARGIN, 110), invoice.client, fill="black", font=font)
    draw.text((_COLUMNS[3], 90), f"No. {invoice.number}", fill="black", font=font, anchor="ra")
    draw.text((_COLUMNS[3], 110), invoice.issue_date.isoformat(), fill="black", font=font, anchor="ra")


def _draw_table(draw: ImageDraw.ImageDraw, invoice: Invoice, top: int) -> int:
    font = ImageFont.load_default(14)
    rows = [("Description", "Qty", "Price", "Total")]
    rows += [
        (item.description, str(item.quantity), money(item.unit_price), money(item.total))
        for item in invoice.items
    ]
    for index, cells in enumerate(rows):
        y = top + 26 * index
        for x, cell in zip(_COLUMNS[:3], cells[:3], strict=True):
            draw.text((x, y), cell, fill="black" if index else _GREY, font=font)
        draw.text((_COLUMNS[3], y), cells[3], fill="black" if index else _GREY, font=font, anchor="ra")
        draw.line((_MARGIN, y + 20, _COLUMNS[3], y + 20), fill=(200, 200, 200))
    return top + 26 * len(rows)


def _draw_totals(draw: ImageDraw.ImageDraw, invoice: Invoice, top: int) -> None:
    lines = (
        ("Subtotal", money(invoice.subtotal), 14),
        (f"Tax {invoice.tax_rate} %", money(invoice.tax), 14),
        (f"Total {invoice.currency}", money(invoice.subtotal + invoice.tax), 18),
    )
    for index, (label, amount, size) in enumerate(lines):
        font = ImageFont.load_default(size)
        draw.text((_COLUMNS[1], top + 26 * index), label, fill="black", font=font)
        draw.text((_COLUMNS[3], top + 26 * index), amount, fill="black", font=font, anchor="ra")
