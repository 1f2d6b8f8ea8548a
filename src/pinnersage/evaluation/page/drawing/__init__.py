"""The plots, drawn with matplotlib (extra ``report``): functions of a summary, None where arms are missing.

>>> import json
>>> from pathlib import Path
>>> from pinnersage.evaluation.page.summary import summary_of
>>> summary = summary_of(json.loads(Path("report/metrics.json").read_text()))  # doctest: +SKIP
>>> figure_of(summary, "diversity").savefig("diversity.png")  # doctest: +SKIP
"""

from __future__ import annotations

from pinnersage.evaluation.page.drawing.all import drawn, figure_of

__all__ = ["drawn", "figure_of"]
