"""A figure as SVG that can stand in a page: own ids, a title and a description, colors of the page."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.blocks import Plot
from pinnersage.evaluation.page.drawing.style import VARIABLES, row_id, settle

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_DROPPED = {f"{_SVG}metadata", f"{_SVG}style"}
_FONT = re.compile(r"font: ([\d.]+px) [^;]*")
_WIDE_PT = 400
_NO_DATES = {"Date": None, "Creator": None, "Format": None, "Type": None}


def inline_svg(figure: Drawing, plot: Plot) -> str:
    """Return the SVG element.

    Parameters
    ----------
    figure
        Drawn within :func:`~pinnersage.evaluation.page.drawing.style.style`, which still holds.
    plot
        Gives its key, title and text.
    """
    settle(figure)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NO_DATES)
    root = ElementTree.fromstring(buffer.getvalue())
    _clean(root, f"{plot.key}-")
    _describe(root, plot)
    _tell_rows(root, plot)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _clean(element: ElementTree.Element, prefix: str) -> None:
    """Drop what would reach beyond the plot, and make ids the plot's own."""
    for child in list(element):
        if child.tag in _DROPPED:
            element.remove(child)
        else:
            _clean(child, prefix)
    element.tag = element.tag.removeprefix(_SVG)
    element.attrib = {
        name.replace(_XLINK, ""): _value(name.replace(_XLINK, ""), value, prefix)
        for name, value in element.attrib.items()
    }
    if not (element.text or "").strip():
        element.text = None
    element.tail = None


def _value(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name == "href":
        return value.replace("#", f"#{prefix}", 1)
    value = value.replace("url(#", f"url(#{prefix}")
    if name == "style":
        value = _FONT.sub(r"font-size: \1", value)
        for color, variable in VARIABLES.items():
            value = value.replace(color, f"var(--{variable})")
    return value


def _describe(root: ElementTree.Element, plot: Plot) -> None:
    wide = float(root.attrib["width"].removesuffix("pt")) > _WIDE_PT
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {"class": "wide"} if wide else {}
    title, text = f"{plot.key}-title", f"{plot.key}-text"
    root.attrib |= {"role": "img", "aria-labelledby": title, "aria-describedby": text}
    for i, (tag, key, said) in enumerate((("title", title, plot.title), ("desc", text, plot.text))):
        element = ElementTree.Element(tag, {"id": key})
        element.text = said
        root.insert(i, element)


def _tell_rows(root: ElementTree.Element, plot: Plot) -> None:
    """Give what stands for a row of the table a title, which shows when it is pointed at."""
    told = {f"{plot.key}-{row_id(i)}": row for i, row in enumerate(plot.table.rows)}
    for element in list(root.iter()):
        row = told.get(element.attrib.get("id", ""))
        if row is not None:
            cells = zip(plot.table.columns, row.cells, strict=True)
            lines = [f"{name} {cell.text} {cell.small}".strip() for name, cell in cells]
            title = ElementTree.Element("title")
            title.text = "\n".join([f"{row.head} {row.note}".strip(), *lines])
            element.insert(0, title)
