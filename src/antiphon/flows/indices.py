"""Makes, finds, changes and removes indices. Definitions live in memory and in the catalog, data in the engine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from antiphon.domain.alias import AliasAction
from antiphon.domain.expression import ExpandOptions, aliased, index_not_found, resolve_expression
from antiphon.domain.field import Family
from antiphon.domain.index import Alias, Index, IndexBody, Target
from antiphon.domain.index_name import check_index_name, invalid_index_name
from antiphon.domain.index_settings import (
    API_VERSION,
    changed_settings,
    check_made_of,
    check_settings,
    created_settings,
    field_defaults,
    setting_flag,
    setting_number,
)
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.semantic import expand_semantic
from antiphon.domain.setting import SettingValue
from antiphon.errors import ClusterBlock, DataLost, IllegalArgument, IndexClosed, IndexExists, IndexNotFound
from antiphon.flows.aliases import apply_actions, check_alias, check_new_aliases, matches_alias
from antiphon.flows.index_definitions import read_definition, write_definition
from antiphon.flows.model_facts import model_facts
from antiphon.flows.ports import IndexStore, Ports
from antiphon.flows.templates import Templates

_INDEX = "index"
_BLOCKS = {
    "read": (("read", "7/index read (api)"),),
    "write": (
        ("read_only", "5/index read-only (api)"),
        ("write", "8/index write (api)"),
        ("read_only_allow_delete", "12/index read-only / allow delete (api)"),
    ),
    "metadata": (("read_only", "5/index read-only (api)"), ("metadata", "9/index metadata (api)")),
}
_log = logging.getLogger("antiphon")


class Indices:
    """All indices of the node. Readers take a published state without a lock; one change happens at a time."""

    def __init__(self, ports: Ports, *, auto_create: Callable[[], str] = lambda: "true") -> None:
        """``auto_create`` returns the cluster setting ``action.auto_create_index`` in force."""
        self._ports = ports
        self._auto_create = auto_create
        self._lock = threading.RLock()
        self._published: dict[str, Index] = {}
        self._stores: dict[str, IndexStore] = {}
        self._lost: set[str] = set()
        self.templates = Templates(ports)
        self._guards: list[Callable[[Index, IndexMapping], None]] = []

    def start(self) -> None:
        """Read the definitions, and drop data that a dead process left without one."""
        with self._lock:
            found = [read_definition(name, body) for name, body in self._ports.catalog.definitions(_INDEX)]
            self._published = {index.name: index for index in found}
            known, defined = set(self._ports.engine.known()), {index.uuid for index in found}
            self._lost = defined - known
            for index in found:
                if index.uuid in self._lost:
                    _log.error("the documents of index [%s/%s] are not in the data folder", index.name, index.uuid)
            for uuid in known - defined:
                _log.warning("dropped the data of an index whose creation or deletion was not finished: %s", uuid)
                self._ports.engine.drop(uuid)

    def guard_mappings(self, check: Callable[[Index, IndexMapping], None]) -> None:
        """Ask ``check`` before a mapping that somebody put takes the place of an index's own; it raises to refuse."""
        self._guards.append(check)

    def all(self) -> list[Index]:
        """Return every index, by name."""
        state = self._published
        return [state[name] for name in sorted(state)]

    def exists(self, name: str) -> bool:
        """True when there is an index or alias of this name."""
        state = self._published
        return name in state or bool(aliased(state, name))

    def get(self, name: str) -> Index:
        """Return the index of a name, or the single one behind an alias; IndexNotFound, IllegalArgument for several."""
        state = self._published
        if name in state:
            return state[name]
        members = aliased(state, name)
        if not members:
            raise index_not_found(name, single=True)
        if len(members) > 1:
            listed = ", ".join(index.name for index, _ in members)
            raise IllegalArgument(
                f"alias [{name}] has more than one index associated with it [{listed}], can't execute a single index op"
            )
        return members[0][0]

    def aliased(self, alias: str) -> list[tuple[Index, Alias]]:
        """Return the indices that carry the alias, by name, with what it says on each."""
        return aliased(self._published, alias)

    def resolve(
        self,
        expression: str,
        *,
        ignore_unavailable: bool = False,
        allow_no_indices: bool = True,
        expand_wildcards: str = "open",
        aliases: bool = True,
    ) -> list[Target]:
        """Return the indices an expression stands for (``""`` is all), each once, with the filter of its aliases.

        A closed index is returned when it is named; ``check_open`` refuses it.
        """
        options = ExpandOptions(ignore_unavailable, allow_no_indices, expand_wildcards, aliases)
        return resolve_expression(self._published, expression, options)

    def write_target(self, name: str, *, require_alias: bool = False, create: bool = True) -> Index:
        """Return the index that documents sent to ``name`` go to, made from its templates when there is none.

        IllegalArgument when an alias has no write index; IndexNotFound when it may not be made.
        """
        state = self._published
        members = aliased(state, name)
        if require_alias and not members:
            raise IndexNotFound(
                f"no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias",
                metadata={"index": name, "index_uuid": "_na_"},
            )
        if name in state:
            return state[name]
        if members:
            return _write_index(name, members)
        if not create or not self._may_create(name):
            raise index_not_found(name, single=True)
        with self._lock:
            return self.get(name) if self.exists(name) else self.create(name)

    def lost(self, index: Index) -> bool:
        """True when the documents of an index were missing or unreadable when they were last looked for."""
        return index.uuid in self._lost

    def store(self, index: Index) -> IndexStore:
        """Return the documents of an index; IndexNotFound once it is deleted, DataLost when they cannot be read."""
        held = self._stores.get(index.uuid)
        if held is not None:
            return held
        with self._lock:
            current = self._published.get(index.name)
            if current is None or current.uuid != index.uuid:
                raise index_not_found(index.name)
            if index.uuid not in self._stores:
                try:
                    opened = self._ports.engine.open(index.uuid, current.mapping, current.settings)
                except DataLost:
                    self._lost.add(index.uuid)
                    raise
                self._lost.discard(index.uuid)
                self._stores[index.uuid] = opened
            return self._stores[index.uuid]

    def create(self, name: str, body: IndexBody | None = None) -> Index:
        """Make an index from its templates and ``body``. The engine's data first, so that a definition has data."""
        check_index_name(name)
        request = body or IndexBody()
        check_settings(request.settings)
        with self._lock:
            self._check_new(name)
            whole = self.templates.body_for(name, request)
            check_new_aliases(self._published, whole.aliases, own=name)
            mapping = self._mapping_of(whole)
            now = self._ports.clock()
            uuid = self._ports.new_id()
            settings = created_settings(whole.settings, name=name, uuid=uuid, created_ms=now, api_version=API_VERSION)
            index = Index(name, uuid, now, settings, mapping, dict(whole.aliases))
            for alias, value in index.aliases.items():
                check_alias(index, alias, value, now)
            store = self._ports.engine.create(uuid, mapping, settings)
            try:
                self._publish({name: index})
            except BaseException:
                self._ports.engine.drop(uuid)
                raise
            self._stores[uuid] = store
        return index

    def check_body(self, body: IndexBody) -> None:
        """Raise what creating an index from ``body`` would raise."""
        check_settings(body.settings)
        self._mapping_of(body)

    def delete(
        self,
        expression: str,
        *,
        ignore_unavailable: bool = False,
        allow_no_indices: bool = True,
        expand_wildcards: str = "open,closed",
    ) -> None:
        """Delete indices, all or none; IllegalArgument for an alias."""
        with self._lock:
            state = self._published
            for word in expression.split(","):
                if word not in state and "*" not in word and aliased(state, word):
                    raise matches_alias(word)
            options = ExpandOptions(ignore_unavailable, allow_no_indices, expand_wildcards, aliases=False)
            doomed = [target.index for target in resolve_expression(state, expression, options)]
            for index in doomed:
                if setting_flag(index.settings, "index.blocks.read_only"):
                    self.check_blocks(index, "metadata")
            self._publish({index.name: None for index in doomed})
            self._drop(doomed)

    def update_mapping(self, index_name: str, mapping: IndexMapping) -> Index:
        """Add what ``mapping`` has to the mapping in force, whoever changed it meanwhile, and return the index.

        IllegalArgument when another change gave a field another type. ``_meta`` is merged key by key.
        """
        with self._lock:
            current = self.get(index_name)
            body = dict(mapping.body)
            if "_meta" in body:
                body["_meta"] = _merged_meta(current.mapping.body.get("_meta"), body["_meta"])
            return self._remap([(current, current.mapping.merged(body))])[0]

    def put_mapping(
        self, expression: str, body: Mapping[str, Any], *, write_index_only: bool = False, **options: Any
    ) -> None:
        """Merge a mapping into every index of an expression: all or none. ``options`` as ``resolve`` takes them.

        With ``write_index_only`` an alias stands for its write index alone.
        """
        with self._lock:
            if write_index_only:
                expression = ",".join(self._written(word) for word in expression.split(","))
            targets = self.resolve(expression, **({"expand_wildcards": "open,closed"} | options))
            changes = []
            for target in targets:
                self.check_blocks(target.index, "metadata")
                merged = target.index.mapping.merged(self._expanded(body))
                self._check_mapping(merged, target.index.settings)
                for check in self._guards:
                    check(target.index, merged)
                changes.append((target.index, merged))
            self._remap(changes)

    def put_settings(
        self,
        expression: str,
        changes: Mapping[str, SettingValue | None],
        preserve_existing: bool = False,
        **options: Any,
    ) -> None:
        """Change flat settings (None resets) of every index of an expression: all or none."""
        check_settings(changes)
        with self._lock:
            changed: dict[str, Index | None] = {}
            for target in self.resolve(expression, **({"expand_wildcards": "open,closed"} | options)):
                index = target.index
                if not any(key.startswith("index.blocks.") for key in changes):
                    self.check_blocks(index, "metadata")
                settings = changed_settings(
                    index.settings, changes,
                    closed=index.closed, where=f"{index.name}/{index.uuid}", preserve=preserve_existing,
                )  # fmt: skip
                if any(key.startswith("index.analysis.") for key in changes):
                    self._ports.engine.check_analysis(settings, _analyzers(index.mapping))
                changed[index.name] = replace(
                    index, settings=settings, mapping=index.mapping.with_defaults(field_defaults(settings))
                )
            self._publish(changed)
            for index in filter(None, changed.values()):
                self.store(index).configure(index.settings)
                self.store(index).remap(index.mapping)

    def put_aliases(self, actions: Sequence[AliasAction]) -> None:
        """Apply alias actions, all or none."""
        with self._lock:
            changed = apply_actions(self._published, actions, self._ports.clock())
            doomed = [self._published[name] for name, index in changed.items() if index is None]
            self._publish(changed)
            self._drop(doomed)

    def set_closed(self, expression: str, *, closed: bool, **options: Any) -> list[Index]:
        """Close or open indices and return them; closing seals what is in memory."""
        with self._lock:
            targets = self.resolve(expression, **({"expand_wildcards": "closed" if not closed else "open"} | options))
            indices = [replace(target.index, closed=closed) for target in targets]
            if closed:
                for index in indices:
                    self.store(index).flush()
            self._publish({index.name: index for index in indices})
        return indices

    def check_open(self, index: Index) -> None:
        """IndexClosed (400) for a closed index."""
        if index.closed:
            raise IndexClosed("closed", metadata={"index": index.name, "index_uuid": index.uuid})

    def check_blocks(self, index: Index, operation: str) -> None:
        """ClusterBlock (403) when an ``index.blocks`` setting forbids ``read``, ``write`` or ``metadata``."""
        found = [
            f"FORBIDDEN/{what}"
            for name, what in _BLOCKS[operation]
            if setting_flag(index.settings, f"index.blocks.{name}")
        ]
        if found:
            raise ClusterBlock(f"index [{index.name}] blocked by: [{'];['.join(found)}];")

    def _written(self, name: str) -> str:
        members = aliased(self._published, name)
        return _write_index(name, members).name if members else name

    def _may_create(self, name: str) -> bool:
        """By ``action.auto_create_index``: true, false, or patterns (``+a*,-*``) of which the first match wins."""
        rule = self._auto_create()
        if rule in ("true", "false"):
            return rule == "true"
        for word in (part.strip() for part in rule.split(",")):
            if Templates.matches(word.lstrip("+-"), name):
                return not word.startswith("-")
        return False

    def _check_new(self, name: str) -> None:
        held = self._published.get(name)
        if held is not None:
            raise IndexExists(
                f"index [{name}/{held.uuid}] already exists", metadata={"index": name, "index_uuid": held.uuid}
            )
        if aliased(self._published, name):
            raise invalid_index_name(name, "already exists as alias")

    def _mapping_of(self, body: IndexBody) -> IndexMapping:
        knn = body.settings.get("index.knn") == "true"
        mapping = IndexMapping.parse(self._expanded(body.mappings), knn=knn, defaults=field_defaults(body.settings))
        check_made_of(body.settings, mapping)
        self._check_mapping(mapping, {key: value for key, value in body.settings.items() if value is not None})
        return mapping

    def _check_mapping(self, mapping: IndexMapping, settings: Mapping[str, Any]) -> None:
        mapping.check_limits(
            setting_number(settings, "index.mapping.total_fields.limit"),
            setting_number(settings, "index.mapping.depth.limit"),
        )
        self._ports.engine.check_analysis(settings, _analyzers(mapping))

    def _expanded(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return expand_semantic(body, lambda model_id: model_facts(self._ports.catalog, model_id))

    def _remap(self, changes: Iterable[tuple[Index, IndexMapping]]) -> list[Index]:
        after = [(replace(index, mapping=mapping), mapping is not index.mapping) for index, mapping in changes]
        self._publish({index.name: index for index, changed in after if changed})
        for index, changed in after:
            if changed:
                self.store(index).remap(index.mapping)
        return [index for index, _ in after]

    def _publish(self, changed: Mapping[str, Index | None]) -> None:
        """Persist (None removes), then show: readers never see what the catalog does not hold."""
        state = dict(self._published)
        with self._ports.catalog.transaction():
            for name, index in changed.items():
                if index is None:
                    self._ports.catalog.delete_definition(_INDEX, name)
                    del state[name]
                else:
                    self._ports.catalog.put_definition(_INDEX, name, write_definition(index))
                    state[name] = index
        self._published = state

    def _drop(self, doomed: Sequence[Index]) -> None:
        for index in doomed:
            self._stores.pop(index.uuid, None)
            self._lost.discard(index.uuid)
            self._ports.engine.drop(index.uuid)


def _write_index(alias: str, members: Sequence[tuple[Index, Alias]]) -> Index:
    chosen = [index for index, value in members if value.is_write_index]
    if not chosen and len(members) == 1 and members[0][1].is_write_index is None:
        chosen = [members[0][0]]
    if not chosen:
        raise IllegalArgument(
            f"no write index is defined for alias [{alias}]. The write index may be explicitly disabled using "
            "is_write_index=false or the alias points to multiple indices without one being designated as a write index"
        )
    return chosen[0]


def _analyzers(mapping: IndexMapping) -> list[str]:
    texts = [field for field in mapping.fields.values() if field.family is Family.TEXT]
    return sorted({name for field in texts for name in (field.analyzer, field.search_analyzer)})


def _merged_meta(current: Any, added: Any) -> Any:
    if isinstance(current, Mapping) and isinstance(added, Mapping):
        return {**current, **{key: _merged_meta(current.get(key), value) for key, value in added.items()}}
    return added
