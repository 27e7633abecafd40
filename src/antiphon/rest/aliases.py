"""Handlers of aliases."""

from __future__ import annotations

from typing import Any

from antiphon.domain.alias import AliasAction, AliasVerb
from antiphon.domain.pattern import star_pattern
from antiphon.errors import IllegalArgument, ParseError
from antiphon.rest.call import Call, Reply, Route
from antiphon.rest.index_options import ACKNOWLEDGED, INDICES, WAITS, index_options
from antiphon.wire.alias import read_actions, read_alias, write_alias


def update(call: Call) -> Reply:
    """Apply a list of actions, all or none."""
    call.node.indices.put_aliases(read_actions(call.json()))
    return ACKNOWLEDGED


def put(call: Call) -> Reply:
    """Add one alias; index and name may come in the body, which wins over the path."""
    body = call.json_or({})
    if not isinstance(body, dict):
        raise ParseError("the body of an alias must be a JSON object")
    index = str(body.get("index") or call.params.get("index", ""))
    name = str(body.get("alias") or call.params.get("name", ""))
    if not index:
        raise IllegalArgument("[indices] can't be empty: name them in the path, or one as [index] in the body")
    if not name:
        raise IllegalArgument("[alias] can't be empty string: name it in the path, or as [alias] in the body")
    value = read_alias({key: item for key, item in body.items() if key not in ("index", "alias")})
    action = AliasAction(AliasVerb.ADD, tuple(index.split(",")), tuple(name.split(",")), value)
    call.node.indices.put_aliases([action])
    return ACKNOWLEDGED


def delete(call: Call) -> Reply:
    """Remove aliases by name or pattern; 404 when there is none."""
    action = AliasAction(
        AliasVerb.REMOVE, tuple(call.params["index"].split(",")), tuple(call.params["name"].split(",")), must_exist=True
    )
    call.node.indices.put_aliases([action])
    return ACKNOWLEDGED


def get(call: Call) -> Reply:
    """Aliases by index; 404 with a text for names that nothing matches."""
    options = index_options(call) | {"expand_wildcards": call.query.get("expand_wildcards", "all")}
    targets = call.node.indices.resolve(call.params.get("index", ""), **options)
    names = call.words("name")
    shown: dict[str, Any] = {}
    seen: set[str] = set()
    for index in (target.index for target in targets):
        found = {alias: value for alias, value in index.aliases.items() if _wanted(alias, names)}
        seen.update(found)
        if found or not names:
            shown[index.name] = {"aliases": {alias: write_alias(value) for alias, value in found.items()}}
    missing = [word for word in names if "*" not in word and word != "_all" and word not in seen]
    if missing:
        word = "aliases" if len(missing) > 1 else "alias"
        return Reply({"error": f"{word} [{','.join(missing)}] missing", "status": 404} | shown, 404)
    return Reply(shown, 404 if call.method == "HEAD" and names and not shown else 200)


def _wanted(alias: str, names: list[str]) -> bool:
    return not names or any(star_pattern("*" if word == "_all" else word).fullmatch(alias) for word in names)


ALIAS_ROUTES: tuple[Route, ...] = (
    Route("POST", "/_aliases", update, WAITS),
    Route("PUT POST", "/_alias", put, WAITS),
    *(Route("PUT POST", f"/{word}/{{name}}", put, WAITS) for word in ("_alias", "_aliases")),
    Route("GET", "/_alias", get, INDICES),
    Route("GET", "/_aliases", get, INDICES),
    Route("GET", "/_alias/{name}", get, INDICES),
    Route("GET", "/{index}/_alias", get, INDICES),
    Route("GET", "/{index}/_alias/{name}", get, INDICES),
    *(Route("PUT", f"/{{index}}/{word}", put, WAITS) for word in ("_alias", "_aliases")),
    *(Route("PUT POST", f"/{{index}}/{word}/{{name}}", put, WAITS) for word in ("_alias", "_aliases")),
    *(Route("DELETE", f"/{{index}}/{word}/{{name}}", delete, WAITS) for word in ("_alias", "_aliases")),
)
