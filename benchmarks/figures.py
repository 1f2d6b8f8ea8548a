"""Print the table of figures in the README from the committed results; a test keeps the two equal.

python benchmarks/figures.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def result(name: str) -> dict[str, Any]:
    """Return one committed result."""
    values: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return values


def ward_rows(name: str, blas: str) -> list[str]:
    """Return one row of the table for each number of actions."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in result(name)["rows"]:
        rows.setdefault(row["n_actions"], []).append(row)
    lines = []
    for n, found in rows.items():
        gram = [row["ours_over_gram"] for row in found]
        scipy = [row["scipy_over_ours"] for row in found]
        lines.append(
            f"| `ward_clusters`, {n:,} actions x 256-d, one thread, {blas} "
            f"| {min(gram):.2f}-{max(gram):.2f}x the time of `X @ X.T`; "
            f"{min(scipy):.0f}-{max(scipy):.0f}x faster than SciPy "
            "| `python benchmarks/bench_ward.py` |"
        )
    return lines


def table() -> str:
    """Return the whole table in Markdown."""
    build, memory, recommend = result("build"), result("memory"), result("recommend")
    kernel, script = build["against_kernel"], build["against_script"]
    n_million = memory["n_actions"] / 1e6
    lines = ["| what | figure | command |", "|---|---|---|"]
    lines += ward_rows("ward-haswell", "BLAS held to AVX2")
    lines += ward_rows("ward-native", "BLAS free to choose")
    lines += [
        f"| build, Parquet to store, {kernel['n_actions'] / 1e6:.0f} M actions "
        f"of {kernel['n_users']:,} users | {kernel['build_over_kernel']:.2f}x the time of its kernels alone "
        "| `python benchmarks/bench_build.py` |",
        f"| the same against pandas groupby + SciPy, {script['n_users']:,} users "
        f"| {script['script_over_build']:.0f}x faster | `python benchmarks/bench_build.py` |",
        f"| peak memory of a build on {n_million:.0f} M actions of {memory['n_users']:,} users "
        f"| {memory['peak_besides_embeddings_gb']:.1f} GB besides the embeddings "
        "| `python benchmarks/bench_memory.py` |",
        f"| size of the store, about 90 actions in the window a user "
        f"| {memory['store_bytes_per_user']:.0f} bytes a user | `python benchmarks/bench_memory.py` |",
    ]
    for mode in ("sampled", "budgeted", "balanced"):
        found = recommend[mode]
        lines.append(
            f"| `recommend`, {mode}, k=100, 100,000 items x 256-d "
            f"| median {found['warm']['median_us'] / 1e3:.2f} ms warm, "
            f"{found['cold']['median_us'] / 1e3:.1f} ms without the cache "
            "| `python benchmarks/bench_recommend.py` |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
