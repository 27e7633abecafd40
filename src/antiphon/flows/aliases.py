"""What alias actions make of the indices: computed on the side, so that all of them happen or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from antiphon.domain.alias import AliasAction, AliasVerb
from antiphon.domain.expression import ExpandOptions, resolve_expression
from antiphon.domain.index import Alias, Index
from antiphon.domain.index_name import check_alias_name
from antiphon.domain.index_settings import setting, setting_number
from antiphon.domain.pattern import star_pattern
from antiphon.errors import AliasesNotFound, AntiphonError, IllegalArgument, InvalidAliasName
from antiphon.query import Scope, parse_query

_ALL = ExpandOptions(expand_wildcards="open,closed", aliases=False)


def apply_actions(indices: Mapping[str, Index], actions: Sequence[AliasAction], now_ms: int) -> dict[str, Index | None]:
    """Return the indices that change, by name; None for one that is removed.

    IndexNotFound, InvalidAliasName, IllegalArgument (two write indices, or what ``check_alias`` says) or
    AliasesNotFound (nothing to remove).
    """
    state = dict(indices)
    removed = {name for action in actions if action.verb is AliasVerb.REMOVE_INDEX for name in _names(state, action)}
    state = {name: index for name, index in state.items() if name not in removed}
    for action in actions:
        match action.verb:
            case AliasVerb.ADD:
                _add(state, indices, action, now_ms)
            case AliasVerb.REMOVE:
                _remove(state, indices, action)
            case AliasVerb.REMOVE_INDEX:
                continue
    _check_write_indices(state)
    changed: dict[str, Index | None] = {name: index for name, index in state.items() if index is not indices[name]}
    return changed | dict.fromkeys(removed)


def check_new_aliases(indices: Mapping[str, Index], aliases: Mapping[str, Alias], own: str = "") -> None:
    """InvalidAliasName for an alias that cannot be called so, or is the name of an index; ``own`` is the new one's."""
    for alias in aliases:
        check_alias_name(alias)
        if alias in indices or alias == own:
            raise InvalidAliasName(
                f"Invalid alias name [{alias}], an index exists with the same name as the alias",
                metadata={"index": alias, "index_uuid": indices[alias].uuid if alias in indices else "_na_"},
            )


def check_alias(index: Index, name: str, alias: Alias, now_ms: int) -> None:
    """IllegalArgument for a filter that no search on the index could read, or several routings for writes."""
    if "," in (alias.index_routing or ""):
        raise IllegalArgument(f"alias [{name}] has several index routing values associated with it")
    if not alias.filter:
        return
    try:
        parse_query(alias.filter, scope_of(index, now_ms))
    except AntiphonError as error:
        raise IllegalArgument(f"failed to parse filter for alias [{name}]", cause=error) from None


def scope_of(index: Index, now_ms: int) -> Scope:
    """Return what queries that are no searches are read against."""
    return Scope(
        index.mapping,
        index.name,
        now_ms,
        default_field=tuple(setting(index.settings, "index.query.default_field")),
        max_terms=setting_number(index.settings, "index.max_terms_count"),
    )


def routed(index: Index, name: str, routing: str | None) -> str | None:
    """Return the routing of a document that is reached by ``name``; IllegalArgument for another than its alias's."""
    alias = index.aliases.get(name)
    own = None if alias is None else alias.index_routing
    if own is None or routing in (None, own):
        return own or routing
    raise IllegalArgument(
        f"Alias [{name}] has index routing associated with it [{own}], and was provided with routing value "
        f"[{routing}], rejecting operation"
    )


def _add(state: dict[str, Index], indices: Mapping[str, Index], action: AliasAction, now_ms: int) -> None:
    check_new_aliases(state, dict.fromkeys(action.aliases, action.value))
    for name in _names(indices, action):
        if name in state:
            for alias in action.aliases:
                check_alias(state[name], alias, action.value, now_ms)
            aliases = dict(state[name].aliases) | dict.fromkeys(action.aliases, action.value)
            state[name] = replace(state[name], aliases=aliases)


def _remove(state: dict[str, Index], indices: Mapping[str, Index], action: AliasAction) -> None:
    patterns = [star_pattern("*" if word == "_all" else word) for word in action.aliases]
    gone = False
    for name in _names(indices, action):
        if name not in state:
            continue
        aliases = state[name].aliases
        kept = {key: value for key, value in aliases.items() if not any(p.fullmatch(key) for p in patterns)}
        if len(kept) < len(aliases):
            gone = True
            state[name] = replace(state[name], aliases=kept)
    if not gone and action.must_exist is not False:
        names = ",".join(action.aliases)
        keys = {"resource.type": "aliases", "resource.id": names}
        raise AliasesNotFound(f"aliases [{names}] missing", metadata=keys)


def _names(indices: Mapping[str, Index], action: AliasAction) -> list[str]:
    if action.verb is AliasVerb.REMOVE_INDEX:
        for name in action.indices:
            if name not in indices and any(name in index.aliases for index in indices.values()):
                raise matches_alias(name)
    targets = resolve_expression(indices, ",".join(action.indices), _ALL)
    return [target.index.name for target in targets]


def matches_alias(name: str) -> IllegalArgument:
    """Return the error for an operation that takes indices only."""
    return IllegalArgument(
        f"The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
    )


def _check_write_indices(state: Mapping[str, Index]) -> None:
    writers: dict[str, list[str]] = {}
    for name in sorted(state):
        for alias, value in state[name].aliases.items():
            if value.is_write_index:
                writers.setdefault(alias, []).append(name)
    for alias, names in writers.items():
        if len(names) > 1:
            raise IllegalArgument(f"alias [{alias}] has more than one write index [{','.join(names)}]")
