"""Reads a page back with the standard library: tables, texts, ids, addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Table:
    caption: str = ""
    columns: list[str] = field(default_factory=list)
    rows: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Head of a row -> (figure, interval) of its cells."""
    marks: dict[str, list[str]] = field(default_factory=dict)
    scopes: set[str | None] = field(default_factory=set)

    def column(self, name: str) -> dict[str, tuple[str, str]]:
        at = self.columns.index(name) - 1
        return {head: cells[at] for head, cells in self.rows.items()}


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.unbalanced: list[str] = []
        self._text: list[str] = []
        self._small: list[str] = []
        self._hidden = 0
        self._head = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in found.items()]
        self.ids += [found["id"]] if "id" in found else []
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append(Table())
        if tag in {"caption", "th", "td"}:
            self._text, self._small = [], []
        if tag == "th":
            self.tables[-1].scopes.add(found.get("scope"))
        if tag == "td":
            self.tables[-1].marks.setdefault(self._head, []).append(found.get("class", ""))
        if tag == "span" and ("hidden" in found.get("class", "") or found.get("aria-hidden")):
            self._hidden = len(self.open)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.unbalanced.append(tag)
        if len(self.open) == self._hidden:
            self._hidden = 0
        if tag in self.open:
            self.open.pop()
        text = "".join(self._text).strip()
        if tag == "caption":
            self.tables[-1].caption = text
        elif tag == "th" and "thead" in self.open:
            self.tables[-1].columns.append(text)
        elif tag == "th":
            self._head = text
            self.tables[-1].rows[text] = []
        elif tag == "td":
            self.tables[-1].rows[self._head].append((text, "".join(self._small).strip()))

    def handle_data(self, data: str) -> None:
        if "style" in self.open or "script" in self.open:
            return
        self.texts.append(data)
        if not self._hidden:
            (self._small if "small" in self.open else self._text).append(data)

    def table(self, caption: str) -> Table:
        """Return the first table with a caption."""
        return next(table for table in self.tables if table.caption == caption)
