"""Readable titles from a till's abbreviations."""

from __future__ import annotations

import re

_WRITTEN_OUT = {
    "BF": "beef", "BG": "bags", "BKD": "baked", "BKFST": "breakfast", "BN": "beans", "BR": "bread",
    "BRKFST": "breakfast", "BTL": "bottle", "BTR": "butter", "CAR": "carbonated", "CARB": "carbonated",
    "CHICK": "chicken", "CHOC": "chocolate", "CHOCOCLATE": "chocolate", "CIGARETTES": "tobacco cigarettes",
    "CLEANG": "cleaning",
    "CLNRS": "cleaners", "CRBNTD": "carbonated", "CRMD": "creamed", "CRYSTL": "crystal",
    "DETRGNT": "detergent", "DNR": "dinner", "DNRS": "dinners", "DPS": "dips", "DRNK": "drink",
    "DRNKING": "drinking", "DRNKS": "drinks", "DRSNG": "dressing", "DSH": "dishes", "ET": "etc",
    "EXCP": "except", "FD": "food", "FLR": "floor", "FLVRD": "flavored", "FRZ": "frozen",
    "FRZN": "frozen", "FZ": "frozen", "GDS": "goods", "GRAHM": "graham", "HSEHLD": "household",
    "INCL": "included", "IWS": "wrapped slices", "MACH": "machine", "MLT": "multi", "MNERAL": "mineral",
    "MW": "microwave", "MX": "mix", "MXS": "mixes", "NDL": "noodle", "PK": "pack", "PKG": "package",
    "PKLD": "pickled", "PKT": "packet", "PNT": "peanut", "PREM": "premium", "PRPCK": "prepacked",
    "PWDR": "powder", "REFRGRATD": "refrigerated", "REG": "regular", "RTS": "ready to serve",
    "SAL": "salad", "SALD": "salad", "SCE": "sauce", "SFT": "soft", "SGL": "single", "SHERBTS": "sherbets",
    "SNDWCH": "sandwich", "SNGL": "single", "SPECILATY": "specialty", "SPLY": "supply",
    "SPRD": "spread", "SRV": "serving", "SS": "single serving", "SUPPPLIES": "supplies", "SV": "serving",
    "SW": "sweet", "SWEETNERS": "sweeteners", "TISS": "tissue", "TRSH": "trash", "VEG": "vegetable",
    "WATE": "water", "WHL": "whole", "WHLSM": "wholesome", "WT": "weight", "WTR": "water",
}  # fmt: skip
_WORD = re.compile(r"[A-Z]{2,}")
_SEPARATOR = re.compile(r"\s*[:;]\s*|(?<!\d)\s*/\s*|\s*/\s*(?!\d)|\s+-\s+")
_LONE_LETTER = re.compile(r", \w$")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def written_out(text: str) -> str:
    """Return a till's text in lower case, its known abbreviations written out.

    Examples
    --------
    >>> written_out("FRZN BREADED PREPARED CHICK")
    'frozen breaded prepared chicken'
    >>> written_out("PNT BTR/JELLY/JAMS")
    'peanut butter, jelly, jams'
    >>> written_out("CANDY BARS (SINGLES)(INCLUDING")
    'candy bars (singles)'
    """
    words = _WORD.sub(_word, text)
    spaced = " ".join(_SEPARATOR.sub(", ", words.lower()).split())
    # The till cuts texts after 30 characters: drop what was cut inside a word or a parenthesis.
    whole = spaced[: spaced.rindex("(")] if spaced.count("(") > spaced.count(")") else spaced
    return _LONE_LETTER.sub("", whole).strip(" ,-&")


def _word(found: re.Match[str]) -> str:
    after_a_number = found.start() > 0 and found.string[found.start() - 1].isdigit()
    word = _WRITTEN_OUT.get(found.group(), found.group())
    return f" {word}" if after_a_number else word


def title(kind: str, category: str) -> str:
    """Return a title that says what the item is, with its category where the kind alone does not.

    Examples
    --------
    >>> title("POTATO CHIPS", "BAG SNACKS")
    'Potato chips (bag snacks)'
    >>> title("SHREDDED CHEESE", "CHEESE")
    'Shredded cheese'
    """
    first, second = written_out(kind), written_out(category)
    shared = {_stem(word) for word in first.split()} & {_stem(word) for word in second.split()}
    return first.capitalize() if shared else f"{first.capitalize()} ({second})"


def slug(text: str) -> str:
    """Return ``text`` as an id that is easy to type.

    Examples
    --------
    >>> slug("Primal (beef)")
    'primal-beef'
    """
    return _NOT_SLUG.sub("-", text.lower()).strip("-")


def _stem(word: str) -> str:
    return word.strip("(),.&").rstrip("s")
