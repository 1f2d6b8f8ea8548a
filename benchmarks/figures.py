"""Print the table of figures in the README from the committed results; a test keeps the two equal.

python benchmarks/figures.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


MODES = ("sampled", "budgeted", "balanced")


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
            f"{_range(min(scipy), max(scipy))}x faster than SciPy "
            "| `python benchmarks/bench_ward.py` |"
        )
    return lines


def _range(low: float, high: float) -> str:
    return f"{low:.0f}-{high:.0f}" if round(low) < round(high) else f"{low:.0f}"


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}"


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
    for mode in MODES:
        found = recommend[mode]
        lines.append(
            f"| `recommend`, {mode}, k=100, 100,000 items x 256-d "
            f"| median {found['warm']['median_us'] / 1e3:.2f} ms warm, "
            f"{found['cold']['median_us'] / 1e3:.1f} ms without the cache "
            "| `python benchmarks/bench_recommend.py` |"
        )
    told = []
    for mode in MODES:
        tenth, hundredth = (recommend[mode]["some"][share]["median_us"] / 1e3 for share in ("0.1", "0.01"))
        told.append(f"{mode} {tenth:.1f} and {hundredth:.1f} ms")
    lines.append(
        "| the same of a tenth, and of a hundredth, of the items only (`where`) "
        f"| median {'; '.join(told)} | `python benchmarks/bench_recommend.py` |"
    )
    return "\n".join([*lines, *real_time_rows()])


def real_time_rows() -> list[str]:
    """Return the rows about actions that count at once, and about the service."""
    update, stream, ack = result("update")["figures"], result("stream"), result("ack")["figures"]
    alone, grouped = update["fold_group_of_1"], update["live_disk_group_of_500"]
    alone_live, visible = update["live_disk_group_of_1"], ack["visible"]
    most = result("changed")["drawn"][-1]
    chaos = result("chaos")
    lines = [
        f"| exact update of a user with 200 actions x 256-d, by the pure function "
        f"| median {alone['median_cpu_ms']:.2f} ms of processor time | `python benchmarks/bench_update.py` |",
        f"| the same with {most['n_actions']:,} actions on as many items, a dozen to an interest "
        f"| median {most['known_cpu_ms']:.0f} ms; {most['anew_cpu_ms']:.0f} when everything is clustered anew"
        " | `python benchmarks/bench_changed.py` |",
        f"| on files, durable, 200 actions a user, 500 actions to a commit "
        f"| {grouped['events_per_cpu_s']:,} actions per second of processor time "
        "| `python benchmarks/bench_update.py` |",
        f"| the same, one action to a commit, the disk waited for each time "
        f"| {alone_live['events_per_cpu_s']:,} actions per second of processor time "
        "| `python benchmarks/bench_update.py` |",
        f"| records that differ from one batch after {stream['n_events_online']:,} events with repeats, "
        f"disorder, {stream['n_writers_that_died']} dead writers "
        f"| {stream['n_differing']} of {stream['n_records_compared']:,} "
        "| `python benchmarks/bench_stream.py` |",
        *(ack_row(ack, n_per_s, n) for n_per_s, n in ((1_000, 1), (2_000, 10), (2_000, 1))),
        f"| action sent, answered, and in the next list, under 500 other actions/s "
        f"| p99 {visible['p99_ms']:.0f} ms; not there {visible['n_not_reflected']} of {visible['n']:,} times "
        "| `python benchmarks/bench_ack.py` |",
        f"| actions acknowledged in {chaos['rounds']} rounds of faults, {chaos['kills']} killed writers and "
        f"{chaos['build_kills']} killed builds among them "
        f"| {chaos['acked']:,}; lost {chaos['lost']}, counted twice {chaos['doubled']}, "
        f"records that differ {chaos['differing']} | `{chaos['command']} --save` |",
    ]
    return lines + service_rows()


def ack_row(ack: dict[str, Any], n_per_s: int, n_per_request: int) -> str:
    """Return a row about acknowledgements: the middle round, the worst, and whether all were kept up with."""
    found = ack[f"ack_{n_per_s}_actions_per_s_{n_per_request}_per_request"]
    rounds, answered = found["p99_ms_of_rounds"], found["requests_per_s"] * n_per_request
    behind = "" if answered > 0.98 * n_per_s else f"; too many: {answered:,} a second are answered"
    return (
        f"| durable answer over HTTP, {n_per_s:,} actions/s, {n_per_request} a request "
        f"| median {found['p50_ms']:.0f} ms, p99 {found['p99_ms']:,.0f} ms in the middle of {len(rounds)} "
        f"rounds, {max(rounds):,.0f} ms in the worst{behind} | `python benchmarks/bench_ack.py` |"
    )


def service_rows() -> list[str]:
    """Return the rows about recommendations over HTTP."""
    found = result("serve")["figures"]
    lines = []
    for kind, what in (
        ("recommend_k20", "k=20"),
        ("recommend_k100", "k=100"),
        ("ranked_k100", "k=100, ordered by a ranker"),
    ):
        closed, half = found[kind]["closed"], found[kind]["half"]
        lines.append(
            f"| recommendations over HTTP, {what}, 100,000 items, one core, warm "
            f"| {closed['requests_per_s']:,.0f} a second; p99 {half['p99_ms']:.1f} ms at half of that "
            "| `python benchmarks/bench_serve.py` |"
        )
    swap, memory = found["swap_at_500_per_s"], found["memory"]["rss_anon_mb"]
    marks = sorted(map(int, memory))
    return [
        *lines,
        f"| requests that fail while a new batch lands, 500 requests/s "
        f"| {swap['n_failed']} of {swap['n_requests']:,}; p99 {swap['p99_ms']:.0f} ms, the slowest "
        f"{swap['max_ms']:.0f} ms | `python benchmarks/bench_serve.py` |",
        f"| memory of the service after {_listed(f'{mark:,}' for mark in marks[1:])} mixed requests; "
        "the cache of neighbors fills up to 64 MiB "
        f"| {_listed(f'{memory[str(mark)]:.0f}' for mark in marks[1:])} MB "
        "| `python benchmarks/bench_serve.py` |",
    ]


if __name__ == "__main__":
    print(table())
