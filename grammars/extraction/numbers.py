"""Numbers as people write them: separators, units, currencies, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen
""".split()  # noqa: SIM905 - a list of words reads best as words
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - as above
_WORDS = {word: n for n, word in enumerate(_UNITS)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "dozen": 12}
_SUFFIXES = {"k": 1000, "m": 10**6, "mn": 10**6, "bn": 10**9}
LONGEST = 40  # characters of a figure: more is no number that anyone wrote
_CODES = "EUR|USD|GBP|CHF|JPY|INR|CNY|SEK|NOK|DKK|PLN|CZK|CAD|AUD|NZD|BRL|MXN|ZAR|SGD|HKD"
_LONE = {"once": "1", "twice": "2", "a dozen": "12", "half a dozen": "6", "a couple": "2"}
_LONE |= {"half an": "0.5", "half a": "0.5", "one and a half": "1.5", "an": "1", "a": "1"}

_NAMES = "|".join(sorted([*_WORDS, *_SCALES], key=len, reverse=True))
_ONE = (  # not `40 EUR an hour`
    r"(?:(?<=for\s)|(?<=aside\s)|(?<=about\s)|(?<=takes\s)|(?<=within\s)|(?<=roughly\s)|(?<=around\s)|(?<=:\s))"
    r"an?(?=\s(?:hour|day|week|month|year)\b)"
)
_SPELT = (
    rf"(?:half an?(?=\s(?:hour|day|week|month|year)\b)|one and a half|{_ONE}"
    rf"|(?:a\s+)?(?:{_NAMES})(?:[\s-]+(?:and\s+)?(?:{_NAMES}))*|once|twice|a dozen|half a dozen|a couple)"
)
_DIGITS = r"\d{1,3}(?:[,' \u00a0\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d+(?:[.,]\d+)?"
_DOTTED = frozenset(("EUR", "DKK", "NOK", "SEK", "PLN", "BRL"))  # where a dot parts thousands
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(\.\d{3})+")
_CURRENCY = {"£": "GBP", "€": "EUR", "$": "USD", "¥": "JPY", "₹": "INR"}
# `m` is a million before or behind a currency; else it is a metre or a minute, and only `M` a million.
_SUFFIX = (
    r"(?:k|bn)\b|(?-i:M)\b|\s(?:thousand|million|billion)\b"
    rf"|\s?mn?\b(?=\s?(?:{_CODES})\b)|(?(currency)\s?mn?\b|(?!))"
)
_NUMBER = re.compile(
    rf"(?<![\w.#/:])(?<!\w-)(?P<sign>[-\u2212](?=[\d{''.join(_CURRENCY)}]))?(?P<currency>[{''.join(_CURRENCY)}]|\b(?:{_CODES})\s)?\s?"
    rf"(?:(?P<digits>{_DIGITS})(?P<suffix>{_SUFFIX})?|(?P<spelt>\b{_SPELT}\b))"
    rf"(?:\s*(?P<unit>%|[^\W\d_]+))?",
    re.IGNORECASE,
)
_CODE = re.compile(r"[-_/:]?[A-Za-z]*\d|[-_/][A-Za-z]|:\d|\.\d")

SECONDS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "h": 3600}
SECONDS |= {"day": 86400, "week": 604800}


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """A number in a text: offsets of the figure itself, its value, and the unit beside it, in singular."""

    start: int
    end: int
    value: Decimal
    unit: str  # lower case; %, a currency's code, the word behind it, or empty


def find_numbers(text: str) -> list[NumberSpan]:
    """Return the numbers of a text in order; figures inside codes, versions and times are none."""
    return [span for match in _NUMBER.finditer(text) if (span := _read(match, text))]


def _read(match: re.Match[str], text: str) -> NumberSpan | None:
    group = "digits" if match["digits"] else "spelt"
    start = match.start("sign") if match["sign"] else match.start(group)
    end = match.end("suffix") if match["suffix"] else match.end(group)
    if group == "digits" and _CODE.match(text, end):
        return None
    unit = _unit(match)
    value = _figure(match["digits"], unit) if match["digits"] else _spelt(match["spelt"])
    if value is None:
        return None
    if match["suffix"]:
        value *= {**_SUFFIXES, **_SCALES}[match["suffix"].strip().lower()]
    return NumberSpan(start, end, -value if match["sign"] else value, unit)


def _unit(match: re.Match[str]) -> str:
    unit = (match["unit"] or "").lower()
    currency = (match["currency"] or "").strip()
    if currency:
        return _CURRENCY.get(currency, currency.upper())
    return unit.upper() if unit.upper() in _CODES.split("|") else singular(unit)


def singular(word: str) -> str:
    """Return a unit's name without its plural: `hours` is `hour`."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word  # noqa: PLR2004


def _figure(digits: str, unit: str) -> Decimal | None:
    """Return the value of a figure; `1.250 EUR` is more than a thousand, `$1.250` and `0.125 EUR` are not."""
    if len(digits) > LONGEST:
        return None
    plain = re.sub(r"[' \u00a0\u202f]", "", digits)
    if re.fullmatch(r"\d{1,3}(\.\d{3})+,\d+", plain) or (unit in _DOTTED and _THOUSANDS.fullmatch(plain)):
        plain = plain.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    else:
        plain = plain.replace(",", ".")
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def _spelt(words: str) -> Decimal | None:
    lowered = " ".join(words.lower().split())
    if lowered in _LONE:
        return Decimal(_LONE[lowered])
    total = current = 0
    for word in re.findall(r"[a-z]+", lowered):
        if word in _WORDS:
            current += _WORDS[word]
        elif word in _SCALES:
            current = (current or 1) * _SCALES[word]
            if _SCALES[word] > 100:  # noqa: PLR2004 - a hundred stays open: two hundred thousand
                total, current = total + current, 0
    return Decimal(total + current)
