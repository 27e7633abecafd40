"""Names in stories: ``${name}`` put into requests and patterns, ``$.path`` taken out of answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"\$\{([\w.-]+)\}")
_STEP = re.compile(r"\.([\w-]+)|\[(-?\d+)\]|\.(\*|<key>)")


class UnknownName(LookupError):
    """A ``${name}`` that nothing has set."""


class NothingThere(LookupError):
    """A ``$.path`` that leads nowhere in the answer."""


def fill(value: Any, names: Mapping[str, Any]) -> Any:
    """Return ``value`` with every ``${name}`` replaced, in keys too; raise UnknownName.

    A string that is nothing but one name becomes the value itself, of whatever type. ``${a.b}`` looks ``b`` up in
    the mapping ``a``. ``{<repeat>: x, <times>: n}`` becomes n copies of a string or an array, and
    ``{<join>: [x, y]}`` the parts one after the other.
    """
    if isinstance(value, str):
        whole = _NAME.fullmatch(value)
        if whole:
            return _look_up(whole[1], names)
        return _NAME.sub(lambda found: str(_look_up(found[1], names)), value)
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    if isinstance(value, dict):
        if "<repeat>" in value:
            return fill(value["<repeat>"], names) * int(value["<times>"])
        if "<join>" in value:
            return _join(fill(value["<join>"], names))
        return {fill(key, names): fill(item, names) for key, item in value.items()}
    return value


def take(path: str, answer: Any) -> Any:
    """Return what ``$.a.b[0]`` points at in ``answer``; raise NothingThere.

    ``.*`` is an object's only value, ``.<key>`` its only key.
    """
    if not path.startswith("$"):
        raise ValueError(f"a path starts with $, but this is {path!r}")
    value, place = answer, 1
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None:
            raise ValueError(f"cannot read {path!r} from {path[place:]!r} on")
        value = _follow(path[: step.end()], step, value)
        place = step.end()
    return value


def _follow(so_far: str, step: re.Match[str], value: Any) -> Any:
    key, index, only = step.groups()
    try:
        if only:
            ((name, inner),) = value.items()
            return name if only == "<key>" else inner
        return value[key] if key else value[int(index)]
    except (AttributeError, LookupError, TypeError, ValueError):
        raise NothingThere(f"there is no {so_far} in the answer") from None


def _look_up(name: str, names: Mapping[str, Any]) -> Any:
    value: Any = names
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise UnknownName(f"${{{name}}} is not set; there are {sorted(names)}")
        value = value[part]
    return value


def _join(parts: list[Any]) -> Any:
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + part
    return joined
