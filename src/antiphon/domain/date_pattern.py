"""One date format: a name such as ``strict_date_optional_time`` or a Java pattern, compiled to read and to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from antiphon.errors import IllegalArgument

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_LIMIT_MS = 2**63 - 1

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_OPTIONAL_TIME = (
    r"(?P<year>[+-]?\d{%s})(?:-(?P<month>\d{%s})(?:-(?P<day>\d{%s})"
    r"(?:T(?:(?P<hour>\d{%s})(?::(?P<minute>\d{%s})(?::(?P<second>\d{%s})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?)?)?)?"
)
_ISO = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
_NAMED = {
    "date": "yyyy-MM-dd",
    "date_hour": "yyyy-MM-dd'T'HH",
    "date_hour_minute": "yyyy-MM-dd'T'HH:mm",
    "date_hour_minute_second": "yyyy-MM-dd'T'HH:mm:ss",
    "date_hour_minute_second_millis": "yyyy-MM-dd'T'HH:mm:ss.SSS",
    "date_time": _ISO,
    "date_time_no_millis": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "year": "yyyy",
    "year_month": "yyyy-MM",
    "year_month_day": "yyyy-MM-dd",
    "basic_date": "yyyyMMdd",
    "basic_date_time": "yyyyMMdd'T'HHmmss.SSSXX",
    "basic_date_time_no_millis": "yyyyMMdd'T'HHmmssXX",
    "hour": "HH",
    "hour_minute": "HH:mm",
    "hour_minute_second": "HH:mm:ss",
}
"""Names with their pattern; ``strict_`` before one (but ``basic_``) means the same here."""

_PIECES = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one alternative reads (milliseconds, or None when a text does not fit) and writes."""

    parse: Callable[[str, bool, int], int | None]
    write: Callable[[int, int], str]


@lru_cache(maxsize=512)
def compile_layout(name: str) -> Layout:
    """Return the layout of a format's name or Java pattern; IllegalArgument for a letter that is not known."""
    match name:
        case "epoch_millis" | "epoch_second":
            return _epoch(SECOND_MS if name == "epoch_second" else 1)
        case "strict_date_optional_time" | "strict_date_optional_time_nanos":
            return Layout(_reader(_OPTIONAL_TIME % ("4", "2", "2", "2", "2", "2")), _writer(_ISO))
        case "date_optional_time" | "iso8601" | "rfc3339_lenient":
            return Layout(_reader(_OPTIONAL_TIME % ("1,9", "1,2", "1,2", "1,2", "1,2", "1,2")), _writer(_ISO))
    pattern = _NAMED.get(name.removeprefix("strict_"), name)
    if pattern == name and "_" in name:
        raise IllegalArgument(f"Invalid format: [{name}]: Unknown pattern letter: {name[0]}")
    return Layout(_reader("".join(_expression(piece, name) for piece in _PIECES.finditer(pattern))), _writer(pattern))


def days_of(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 of a Gregorian date (Howard Hinnant's days_from_civil)."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def civil_of(days: int) -> tuple[int, int, int]:
    """Return (year, month, day) of days since 1970-01-01."""
    era, of_era = divmod(days + 719468, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def days_in_month(year: int, month: int) -> int:
    """Return 28 to 31."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def offset_ms(text: str) -> int | None:
    """Return the milliseconds of ``Z`` or ``+hh[:mm[:ss]]``; None for another text."""
    if text == "Z":
        return 0
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    sign, hours, minutes, seconds = found.groups()
    size = int(hours) * HOUR_MS + int(minutes or 0) * MINUTE_MS + int(seconds or 0) * SECOND_MS
    return None if size > 18 * HOUR_MS else -size if sign == "-" else size


def _epoch(unit: int) -> Layout:
    digits = re.compile(r"(-?)(\d{1,18})(?:\.(\d{1,9}))?")

    def parse(text: str, _round_up: bool, _zone_ms: int) -> int | None:
        found = digits.fullmatch(text)
        if found is None:
            return None
        sign, whole, fraction = found.groups()
        parts = int((fraction or "").ljust(9, "0")) * unit // 10**9
        value = int(whole) * unit + parts
        return None if value > _LIMIT_MS else -value if sign else value

    def write(instant: int, _zone_ms: int) -> str:
        whole, rest = divmod(abs(instant), unit)
        fraction = f".{rest:03d}".rstrip("0") if rest else ""
        return f"{'-' if instant < 0 else ''}{whole}{fraction}"

    return Layout(parse, write)


def _reader(expression: str) -> Callable[[str, bool, int], int | None]:
    compiled = re.compile(expression, re.ASCII)

    def parse(text: str, round_up: bool, zone_ms: int) -> int | None:
        found = compiled.fullmatch(text)
        return None if found is None else _instant(found.groupdict(), round_up, zone_ms)

    return parse


def _instant(parts: dict[str, str | None], round_up: bool, zone_ms: int) -> int | None:
    get = parts.get
    year, month, day = _year(parts), _month(parts), int(get("day") or 1)
    hour, minute, second = (
        _part(get(name), last, round_up) for name, last in (("hour", 23), ("minute", 59), ("second", 59))
    )
    if (half := get("half")) is not None:
        hour = int(get("clock") or 12) % 12 + (12 if half.upper() == "PM" else 0)
    if not (1 <= month <= 12 and 1 <= day <= days_in_month(year, month) and hour < 24 and minute < 60 and second < 60):
        return None
    fraction = get("fraction")
    millis = int(fraction[:3].ljust(3, "0")) if fraction else 999 if round_up else 0
    zone = get("zone")
    offset = zone_ms if zone is None else offset_ms(zone)
    if offset is None:
        return None
    clock = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + millis
    return days_of(year, month, day) * DAY_MS + clock - offset


def _part(text: str | None, last: int, round_up: bool) -> int:
    return int(text) if text else last if round_up else 0


def _year(parts: dict[str, str | None]) -> int:
    if short := parts.get("short_year"):
        return 2000 + int(short)
    return int(parts.get("year") or 1970)


def _month(parts: dict[str, str | None]) -> int:
    if name := parts.get("month_name"):
        return _MONTHS.index(name[:3].title()) + 1
    return int(parts.get("month") or 1)


def _expression(piece: re.Match[str], name: str) -> str:
    """Return the expression of a quoted text, a run of one letter, or punctuation."""
    quoted, letter = piece.group(1), piece.group(2)
    if letter is None:
        return re.escape((quoted.replace("''", "'") or "'") if quoted is not None else piece.group())
    count = len(piece.group())
    some = rf"\d{{{count}}}" if count > 1 else r"\d{1,2}"
    match letter:
        case "y" | "u":
            return r"(?P<short_year>\d\d)" if count == 2 else r"(?P<year>-?\d{4,9})"
        case "M" | "L":
            return r"(?P<month_name>" + "|".join(_MONTHS) + ")" if count == 3 else f"(?P<month>{some})"
        case "d" | "H" | "m" | "s" | "h":
            group = {"d": "day", "H": "hour", "m": "minute", "s": "second", "h": "clock"}[letter]
            return f"(?P<{group}>{some})"
        case "S" | "n":
            return rf"(?P<fraction>\d{{{count}}})"
        case "Z" | "X" | "x" | "z":
            return r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)"
        case "a":
            return "(?P<half>[AaPp][Mm])"
        case "E":
            return "(?:" + "|".join(_DAYS) + ")"
        case _:
            raise IllegalArgument(f"Invalid format: [{name}]: Unknown pattern letter: {letter}")


def _writer(pattern: str) -> Callable[[int, int], str]:
    pieces = list(_PIECES.finditer(pattern))

    def write(instant: int, zone_ms: int) -> str:
        days, in_day = divmod(instant + zone_ms, DAY_MS)
        return "".join(_written(piece, days, in_day, zone_ms) for piece in pieces)

    return write


def _written(piece: re.Match[str], days: int, in_day: int, zone_ms: int) -> str:
    quoted, letter = piece.group(1), piece.group(2)
    if letter is None:
        return (quoted.replace("''", "'") or "'") if quoted is not None else piece.group()
    count, (year, month, day) = len(piece.group()), civil_of(days)
    match letter:
        case "y" | "u":
            return f"{year % 100:02d}" if count == 2 else f"{year:04d}"
        case "M" | "L":
            return _MONTHS[month - 1] if count == 3 else f"{month:0{count}d}"
        case "S" | "n":
            return f"{in_day % SECOND_MS:03d}".ljust(count, "0")[:count]
        case "a":
            return "AM" if in_day < DAY_MS // 2 else "PM"
        case "E":
            return _DAYS[(days + 3) % 7]
        case "Z" | "X" | "x" | "z":
            return _offset_text(zone_ms, letter, count)
    numbers = {
        "d": day,
        "H": in_day // HOUR_MS,
        "h": (in_day // HOUR_MS - 1) % 12 + 1,
        "m": in_day // MINUTE_MS % 60,
        "s": in_day // SECOND_MS % 60,
    }
    return f"{numbers[letter]:0{count}d}"


def _offset_text(zone_ms: int, letter: str, count: int) -> str:
    if zone_ms == 0 and letter in "Xz":
        return "Z"
    hours, minutes = divmod(abs(zone_ms) // MINUTE_MS, 60)
    colon = ":" if letter in "Xx" and count >= 3 else ""
    return f"{'-' if zone_ms < 0 else '+'}{hours:02d}{colon}{minutes:02d}"
