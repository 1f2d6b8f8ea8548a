"""Print the figures of docs/complexity.md from the committed result; a test keeps the two equal.

python benchmarks/complexity_page.py            prints
python benchmarks/complexity_page.py --write    fills the page and draws docs/img/complexity-*.svg
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

from figures import result
from pages import COLORS, figure, fill, save_figure, table

PAGE, NAME = "complexity.md", "figures"
TOLERANCE = 0.15
AXES = {
    "actions": "actions per user",
    "interests": "interests asked",
    "users": "users",
    "items": "items",
    "dimensions": "dimensions",
}
ASKED = tuple(f"recommend, {mode}" for mode in ("sampled", "budgeted", "balanced", "ranked"))
COLD, WARM = (tuple(f"{asked}, {word}" for asked in ASKED) for word in ("cold", "warm"))
FIT = "fit of a ranker"
LABELS = {
    ("dimensions", "build_records"): "build_records, 200 users of 90",
    ("dimensions", "ward_clusters"): "ward_clusters, 500 actions",
    ("dimensions", "scipy linkage"): "scipy linkage, 500 actions",
    ("dimensions", "index"): "index, 25,000 items",
    ("dimensions", "index, peak"): "index, 25,000 items",
    ("dimensions", "ward_clusters, peak"): "ward_clusters, 2,000 actions",
    ("dimensions", "scipy linkage, peak"): "scipy linkage, 2,000 actions",
    ("users", "whole build"): "whole build, Parquet to index",
}
"""What a curve is called in a figure, where the quantity alone does not say it."""
TICKS = {"actions": "125", "interests": "124568", "users": "13", "items": "13", "dimensions": "123456789"}
"""First digits of the sizes that are written on an axis."""
Panel = tuple[str, str, tuple[str, ...]]
COLD_PANEL: Panel = ("processor time of one request, cold", "s", COLD)
WARM_PANEL: Panel = ("processor time of one request, warm", "s", WARM)
PANELS: dict[str, list[Panel]] = {
    "actions": [
        ("processor time, once", "s",
         ("ward_clusters", "ward_clusters, all merged", "scipy linkage", "build_records")),
        ("processor time of one request", "s", ASKED),
        ("peak memory of one call", "MB", ("ward_clusters, peak", "scipy linkage, peak")),
    ],
    "interests": [COLD_PANEL, WARM_PANEL],
    "users": [
        ("processor time, once", "s", (FIT, "whole build", "build_records")),
        ("processor time of one request", "s", WARM[:3]),
        ("size of the store", "bytes", ("store",)),
        ("peak memory", "MB", (f"{FIT}, peak", "whole build, peak")),
    ],
    "items": [
        ("processor time, once", "s", (FIT, "index", "index, few alike", "import of items")),
        COLD_PANEL,
        ("processor time of one request, cold, few alike", "s", tuple(f"{x}, few alike" for x in COLD)),
        ("size of the index", "bytes", ("index, on disk",)),
        WARM_PANEL,
        ("peak memory", "MB", (f"{FIT}, peak", "index, peak")),
    ],
    "dimensions": [
        ("processor time, once", "s", ("index", "build_records", "scipy linkage", "ward_clusters")),
        COLD_PANEL,
        ("peak memory", "MB", ("index, peak", "scipy linkage, peak", "ward_clusters, peak")),
        WARM_PANEL,
    ],
}  # fmt: skip
N_ROWS = {"users": 2, "items": 2, "dimensions": 2}


def short(n: int) -> str:
    """Return a size as it stands on an axis."""
    factor, unit = (1_000_000, " M") if n % 1_000_000 == 0 else (1_000, " k") if n % 1_000 == 0 else (1, "")
    return f"{n // factor:,}{unit}"


def curves() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the curves by axis and quantity."""
    return {(curve["axis"], curve["what"]): curve for curve in result("complexity")["curves"]}


def median_at(curve: dict[str, Any], size: int) -> float:
    samples: list[float] = curve["samples"][curve["sizes"].index(size)]
    return statistics.median(samples)


def amount(value: float, unit: str) -> str:
    """Return a value in the unit one would say it in."""
    if unit == "count":
        return f"{value:,.0f}"
    steps = {
        "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
        "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes")),
        "MB": ((1024, "GiB"), (1, "MiB"), (1 / 1024, "KiB")),
    }[unit]
    factor, name = next(((f, n) for f, n in steps if value >= f), steps[-1])
    scaled = value / factor
    return f"{scaled:,.0f} {name}" if scaled >= 100 else f"{scaled:.3g} {name}"


def kept(curve: dict[str, Any]) -> str:
    """Tell whether the exponent is what was promised."""
    found, sign, promised = curve["fit"], curve["promise"]["sign"], curve["promise"]["exponent"]
    exponent = found["exponent"]
    low, high = (exponent if found[end] is None else found[end] for end in ("low", "high"))
    if sign == "<":
        return "yes" if high < promised else "grows faster" if low >= promised else "not to be told"
    if sign == "<=":
        return "yes" if low <= promised else "grows faster"
    if abs(exponent - promised) <= TOLERANCE:
        return "yes"
    return "grows faster" if exponent > promised else "grows slower"


def exponent_row(curve: dict[str, Any]) -> list[str]:
    found, promise = curve["fit"], curve["promise"]
    interval = "" if found["low"] is None else f" [{found['low']:.2f}, {found['high']:.2f}]"
    sign = {"=": "", "<=": "at most ", "<": "below "}[promise["sign"]]
    return [
        curve["what"],
        f"{AXES[curve['axis']]}, {found['from']:,} to {found['to']:,}",
        f"{sign}{promise['exponent']:g}: {promise['why']}",
        f"{found['exponent']:.2f}{interval}",
        kept(curve),
        amount(median_at(curve, found["to"]), curve["unit"]),
    ]


def exponents() -> str:
    head = ["what", "grows with", "promised", "exponent [95 %]", "kept", "at the largest"]
    return table(head, [exponent_row(curve) for curve in curves().values()])


def user_costs() -> str:
    """Return what users of different sizes cost."""
    found = curves()
    columns = [
        ("build_records", "processor time of a build"),
        ("record", "record in the store"),
        ("interests", "interests"),
        *((asked, asked.replace("recommend", "request")) for asked in ASKED),
    ]
    rows = []
    for n in found["actions", "build_records"]["sizes"]:
        told = [found["actions", what] for what, _ in columns]
        rows.append([f"{n:,}", *(amount(median_at(c, n), c["unit"]) for c in told), pairs(n)])
    return table(["actions", *(head for _, head in columns), "memory while built (4 n² bytes)"], rows)


def pairs(n: int) -> str:
    return amount(4 * n * n / 2**20, "MB")


def measured(found: dict[tuple[str, str], dict[str, Any]], what: str) -> dict[str, Any]:
    """Return a curve along items; that of catalogues with few items alike where there is no other."""
    return found.get(("items", what)) or found["items", f"{what}, few alike"]


def machine() -> str:
    """Return what follows for a machine, from the largest sizes measured."""
    found, setting = curves(), result("complexity")["setting"]
    users, items = found["users", "whole build"], measured(found, "index")
    n_users, n_items = users["sizes"][-1], items["sizes"][-1]
    per_user = median_at(users, n_users) / n_users
    store = median_at(found["users", "store"], n_users) / n_users
    disk, peak = (median_at(found["items", f"index, {x}"], n_items) for x in ("on disk", "peak"))
    imported = median_at(found["items", "import of items"], n_items)
    index = median_at(items, n_items)
    d = setting["narrow_dim"]
    words = [[amount(median_at(found["items", x], n_items), "s") for x in kind] for kind in (COLD, WARM)]
    asked = [f"{what.split()[-1]} {cold} and {warm}" for what, cold, warm in zip(ASKED, *words, strict=True)]
    rates = [f"{1 / median_at(found['items', what[0]], n_items):,.0f}" for what in (COLD, WARM)]
    lines = [
        f"A million users with {setting['actions_per_user']} actions each and {d}-d embeddings: "
        f"{per_user * 1e6 / 60:,.0f} minutes of one core for the build, "
        f"{store * 1e6 / 1e9:.2g} GB of store.",
        f"A million items of {d} dimensions: {4 * d * 1e6 / 1e9:.2g} GB of embeddings, "
        f"{imported * 1e6 / n_items:,.0f} s of one core to import and "
        f"{index * 1e6 / n_items:,.0f} s to index (peak {amount(peak, 'MB')} while indexing), "
        f"{disk / n_items:.0f} bytes an item of index on disk.",
        f"A request at that size, cold and warm: {'; '.join(asked)}. So a core answers {rates[0]} (cold) to "
        f"{rates[1]} (warm) sampled requests a second.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def against_scipy() -> str:
    found = curves()
    ours, theirs = found["actions", "ward_clusters"], found["actions", "scipy linkage"]
    rows = [
        [f"{n:,}", amount(median_at(ours, n), "s"), amount(median_at(theirs, n), "s"),
         f"{median_at(theirs, n) / median_at(ours, n):.1f}x"]
        for n in ours["sizes"]
    ]  # fmt: skip
    return table(["actions", "`ward_clusters`", "SciPy `linkage`", "ratio"], rows)


def conditions(setting: dict[str, Any]) -> str:
    """Return what was the same along an axis."""
    narrow, per_user = setting["narrow_dim"], setting["actions_per_user"]
    return (
        f"`ward_clusters` and `build_records` of one user: {setting['dim']} dimensions; all else along users "
        f"and items: {narrow}. Along dimensions: {setting['n_actions_of_dimensions']} actions for "
        f"`ward_clusters` ({setting['n_actions_of_memory']:,} for its memory), "
        f"{setting['n_users_of_dimensions']} users with {per_user} actions for `build_records`, "
        f"{setting['n_items_of_others']:,} items for the index. Users' catalogue: "
        f"{setting['n_items_of_users']:,} items. Interests asked: those of a user with "
        f"{setting['n_actions_of_interests']:,} actions, {setting['dim']} dimensions. The ranker that is "
        f"asked links {setting['n_linked']:,} items. One that is fitted learns from "
        f"{setting['n_users_per_moment']} users at {setting['n_moments']} moment: along users on "
        f"{setting['n_items_of_fits']:,} items, along items from {setting['n_users_of_fits']:,} users, "
        f'{per_user} actions each. "Kept" allows {TOLERANCE}.'
    )


def block() -> str:
    """Return all that stands between the markers."""
    setting, note = result("complexity")["setting"], result("complexity").get("note")
    parts = [
        *([note] if note else []),
        "### Exponents",
        conditions(setting),
        exponents(),
        "In the figures, the exponent stands in brackets.",
        *(f"![{AXES[axis]}](img/complexity-{axis}.svg)" for axis in AXES),
        "### A user",
        user_costs(),
        "### A machine",
        machine(),
        "### Beside SciPy",
        against_scipy(),
    ]
    return "\n\n".join(parts)


def draw() -> None:
    """Draw a figure for each axis."""
    found = curves()
    for axis, panels in PANELS.items():
        n_rows = N_ROWS.get(axis, 1)
        width, height = 4.4 * (len(panels) // n_rows), 4.1 * n_rows
        drawn, places = figure(len(panels), width, height, n_rows)
        for place, (title, unit, names) in zip(places, panels, strict=True):
            there = [name for name in names if (axis, name) in found]
            for color, name in zip(COLORS, there, strict=False):
                draw_curve(place, found[axis, name], color)
            sizes = sorted({n for name in there for n in found[axis, name]["sizes"]})
            ticks = [n for n in sizes if f"{n}"[0] in TICKS[axis]]
            place.set(title=title, xlabel=AXES[axis])
            place.set_xticks(ticks, [short(n) for n in ticks])
            place.minorticks_off()
            label_values(place, unit)
            place.legend(
                fontsize=7.5, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14)
            )
        save_figure(drawn, f"complexity-{axis}")


def draw_curve(place: Any, curve: dict[str, Any], color: str) -> None:
    """Draw medians, and the exponent in the legend."""
    medians = [statistics.median(samples) for samples in curve["samples"]]
    what: str = curve["what"]
    mode = what.split(", ")[1] if what.startswith("recommend, ") else what
    name = LABELS.get((curve["axis"], what), mode)
    label = f"{name} ({curve['fit']['exponent']:.2f})"
    place.loglog(curve["sizes"], medians, "o-", color=color, markersize=3.5, lw=1.4, label=label)


def label_values(place: Any, unit: str) -> None:
    """Write amounts in the units one would say, closer together where the range is small."""
    from matplotlib.ticker import LogLocator

    low, high = place.get_ylim()
    steps = (1.0,) if high / low > 100 else (1.0, 2.0, 5.0)
    place.yaxis.set_major_locator(LogLocator(subs=steps))
    place.yaxis.set_major_formatter(lambda value, _: amount(value, unit))


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        fill(PAGE, NAME, block())
        draw()
    else:
        print(block())
