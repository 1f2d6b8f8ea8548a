"""What tuning says, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pinnersage.evaluation.bootstrap import Estimate

if TYPE_CHECKING:
    from pinnersage.evaluation.tuning.result import Choice, HeldOut

Values = Mapping[str, Any]
_NUMBERS = {
    "sampled": "retrieval.n_interests",
    "budgeted": "retrieval.n_budgeted_interests",
    "balanced": "retrieval.n_balanced_interests",
}
"""Mode -> the number of interests that counts in it."""
_TARGETS = {"first_time": "items new to the user", "all": "all items, repeats among them"}
_VERDICTS = {
    "better": "what was chosen has a better {metric} than the default",
    "not told apart": "what was chosen cannot be told apart from the default on {metric}",
    "worse": "what was chosen has a worse {metric} than the default, so the default stays",
}
_SHORT_LISTS, _LONG_LISTS = (0.60, 0.88), (0.56, 1.04)
"""Recall of the default over balanced lists, smallest and largest of docs/results: at 1 %, and at 400."""
_NOBODY = {
    "first_time": "nobody acts on an item of the pool that is new to them",
    "all": "nobody acts on an item of the pool",
}


def relevant(values: Values) -> dict[str, Any]:
    """Return the values without those that another of them makes idle.

    Examples
    --------
    >>> relevant({"retrieval.mode": "budgeted", "retrieval.n_interests": 3})
    {'retrieval.mode': 'budgeted'}
    """
    mode = values.get("retrieval.mode")
    idle = {key for other, key in _NUMBERS.items() if mode is not None and other != mode}
    return {key: value for key, value in values.items() if key not in idle}


def values_text(values: Values, default: Values | None) -> str:
    """Return values as people read them; "the default" goes before them where they are.

    Examples
    --------
    >>> values_text({"interests.decay_per_day": 0.01}, {"interests.decay_per_day": 0.01})
    'the default 0.01'
    >>> values_text({"ranking.n_trees": 200, "ranking.n_leaves": 15}, None)
    'n_trees 200, n_leaves 15'
    >>> values_text({"ranking.fit_ranker": True}, None)
    'on'
    """
    shown = {key: _word(value) for key, value in relevant(values).items()}
    if len(values) == 1:
        text = next(iter(shown.values()))
    else:
        text = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in shown.items())
    return f"the default {text}" if default is not None and values == default else text


def _word(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def figure(estimate: Estimate) -> str:
    """Return a difference with its interval.

    Examples
    --------
    >>> figure(Estimate(0.01234, -0.001, 0.03, 80))
    '+0.0123 [-0.0010, +0.0300]'
    """
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"


def gained(gain: Estimate) -> str:
    """Say by how much a setting that was chosen did better than what stood."""
    return f"gains {figure(gain)} over what stood"


def came_back(option: str) -> str:
    """Say that another setting was chosen for a while, and the default again."""
    return f"it was left for {option}, and came back, without a gain, when other settings had changed"


def not_better(option: str, gain: Estimate) -> str:
    """Say how near the best other option came to what stood."""
    if gain.high < 0:
        return f"it did best; next is {option}, {figure(gain)}"
    if gain.value == gain.low == gain.high == 0:
        return "no other makes a difference"
    return f"the best other, {option}, cannot be told apart from it, {figure(gain)}"


def nothing_else(problem: str) -> str:
    """Say that no option could be asked."""
    return f"nothing else could be tried ({problem})"


def left_out(n: int, max_trials: int | None) -> str:
    """Say that some options of a group were not tried."""
    return f"{n} more were not tried: {bound_reached(max_trials)}"


def bound_reached(max_trials: int | None) -> str:
    """Say that no more settings may be tried."""
    return f"the bound of {max_trials} settings was reached"


def time_is_up() -> str:
    """Say that there was no more time."""
    return "time was up before it could be decided"


def too_little(n_users: int, n_targets: int, min_users: int, min_targets: int) -> str | None:
    """Say what there is too little of to choose by; None where there is enough.

    Examples
    --------
    >>> too_little(37, 900, 50, 200)
    '37 users with targets are too few to choose by: 50 are needed'
    >>> too_little(1, 900, 50, 200)
    '1 user with targets is too few to choose by: 50 are needed'
    """
    if n_users < min_users:
        users = "1 user with targets is" if n_users == 1 else f"{n_users:,} users with targets are"
        return f"{users} too few to choose by: {min_users:,} are needed"
    if n_targets < min_targets:
        targets = "1 target is" if n_targets == 1 else f"{n_targets:,} targets are"
        return f"{targets} too few to choose by: {min_targets:,} are needed"
    return None


def summary(
    about: Mapping[str, Any], choices: Sequence[Choice], held_out: HeldOut, *, guessed: bool = False
) -> tuple[str, ...]:
    """Return what was compared, what came of each group, and what the held-out days say.

    Parameters
    ----------
    about, choices, held_out
        Of the result.
    guessed
        Whether balanced lists are a guess, for want of a mode that is surely best.
    """
    guess = (guessed_mode(),) if guessed else ()
    judgement = judged(about, held_out, guessed=guessed)
    return (compared(about), *learnt(about), *map(decided, choices), *guess, judgement)


def mode_open(option: str, gain: Estimate) -> str:
    """Say that no mode was surely best, and how balanced lists did."""
    return f"no mode was surely best ({option}: {figure(gain)} over what stood)"


def guessed_mode() -> str:
    """Say that the mode is a guess, what it rests on, and how to have another."""
    return (
        'The training days did not show which mode is best, so retrieval.mode = "balanced" is set, the safe '
        f"guess. {measured()}. To keep another mode, ask for it (--mode, [retrieval] mode)."
    )


def measured() -> str:
    """Say what makes balanced lists the safe guess."""
    short, long = (f"{low:.2f} to {high:.2f} times" for low, high in (_SHORT_LISTS, _LONG_LISTS))
    return (
        "On most logs measured (docs/results.md) the default, three sampled interests, is less relevant than "
        f"one averaged vector; it finds {short} what balanced lists find at 1 % of the pool, {long} in lists "
        "of 400"
    )


def safer(why: str) -> str:
    """Say why the mode changes without a choice."""
    return f"{why}, and balanced lists are the safer guess"


def nothing_chosen(
    about: Mapping[str, Any],
    choices: Sequence[Choice],
    why: str,
    mode: str,
    *,
    changed: bool,
    with_ranker: bool,
) -> tuple[str, ...]:
    """Return why nothing was chosen, and what to build with instead; ``with_ranker``: one was asked for."""
    train = about["train"]
    span = f"in the {about['tuning']['train_days']} training days from {train['from'][:10]} {why}"
    if changed:
        stays = (
            f'Nothing was chosen, and retrieval.mode = "{mode}" is set, the safe guess, all else as it was: '
            f"{span}. {measured()}"
        )
    else:
        stays = f'Nothing was chosen, and settings stay, retrieval.mode = "{mode}" as asked for: {span}'
    without = (
        "The second stage that was asked for is off: on so little nothing could show what it gains. "
        "To have one all the same, build with --ranker (fit_ranker=True).",
    )
    return (
        *map(decided, choices),
        *(without if with_ranker else ()),
        f"{stays}. The log begins on {about['data']['oldest_action'][:10]}; "
        "a longer one, or more --train-days (train_days), would allow a choice.",
    )


def decided(choice: Choice) -> str:
    """Return what came of one group of settings, and why."""
    default = values_text(choice.default, choice.default)
    if choice.changed:
        return f"{choice.group}: {values_text(choice.chosen, None)} in place of {default}; {choice.why}."
    return f"{choice.group}: kept {default}; {choice.why}."


def compared(about: Mapping[str, Any]) -> str:
    """Return what settings were compared on."""
    train, tuning = about["train"], about["tuning"]
    users = f"{about['n_users_asked']:,} of {train['n_users']:,} users"
    return (
        f"Chosen by {tuning['metric']} in lists of {about['n_items_per_list']:,} items, "
        f"{_TARGETS[tuning['targets']]}, on {users} "
        f"from {train['from'][:10]} to {train['until'][:10]} (not included), "
        f"{about['n_settings_tried']} settings tried."
    )


def learnt(about: Mapping[str, Any]) -> list[str]:
    """Return from when what embeddings were learnt from is, and how to make such; nothing of given ones."""
    source = about.get("vectors", "given")
    if source == "given":
        return []
    train, held_out = (about[name]["from"][:10] for name in ("train", "held_out"))
    return [
        f"Embeddings were learnt ({source}): to choose, from what came before {train}; to measure what was "
        f"chosen, from what came before {held_out}. Build with such (pinnersage {embed_command(source)})."
    ]


def embed_command(source: str) -> str:
    """Return the command that learns embeddings as they were learnt here, without its files.

    Examples
    --------
    >>> embed_command("fused")
    'embed --from fused --text-model given'
    """
    return f"embed --from {source}{' --text-model given' if source == 'fused' else ''}"


def judged(about: Mapping[str, Any], held_out: HeldOut, *, guessed: bool = False) -> str:
    """Return what the held-out days say; ``guessed``: balanced lists stay where these say nothing."""
    span, metric = about["held_out"], about["tuning"]["metric"]
    days = f"On the held-out days from {span['from'][:10]} to {span['until'][:10]} (not included)"
    rests = f"{held_out.n_users:,} users, {held_out.n_targets:,} targets"
    before = f"{held_out.default.value:.4f}"
    if not held_out.n_users:
        so = (
            "so the defaults are not measured; nothing else was chosen"
            if held_out.verdict == "unchanged"
            else f"so what was chosen is not proved, and the default stays{', but for the mode' * guessed}"
        )
        return f"{days} {_NOBODY[about['tuning']['targets']]}, {so}."
    if held_out.gain is None:
        return f"{days} the defaults reach {metric} {before} ({rests}); nothing else was chosen."
    more = figure(held_out.gain) if held_out.lift is None else _times(held_out.lift)
    figures = f"{before} -> {held_out.chosen.value:.4f}, {more}; {rests}"
    return f"{days}, which chose nothing, {_VERDICTS[held_out.verdict].format(metric=metric)}: {figures}."


def _times(lift: Estimate) -> str:
    return f"{lift.value:.3f}x [{lift.low:.3f}, {lift.high:.3f}]"
