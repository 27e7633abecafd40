"""The settings of an index: which there are, what values they take, when they may change, what they default to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from antiphon.domain.field import FieldDefaults
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.setting import Mutability, Setting, SettingType, SettingValue, setting_leaves, words
from antiphon.errors import IllegalArgument, ParseError, SettingsError

API_VERSION = "3.6.0"
"""The OpenSearch version whose API is spoken; indices say that they were made by it."""
LUCENE_VERSION = "10.4.0"
"""The one of that OpenSearch, which typed clients insist on; there is no Lucene here."""

PREFIX = "index."
_PRIVATE = frozenset({
    "index.uuid", "index.provided_name", "index.creation_date", "index.version.created", "index.version.upgraded",
})  # fmt: skip
_CODECS = ("default", "lz4", "best_compression", "zlib", "zstd", "zstd_no_dict", "qat_lz4", "qat_deflate",
           "lucene_default")  # fmt: skip
_SIMILARITY = {"type": ("BM25",), "k1": ("1.2",), "b": ("0.75",), "discount_overlaps": ("true",)}
_ALWAYS = {"index.number_of_shards": "1", "index.number_of_replicas": "1", "index.replication.type": "DOCUMENT"}

FlatSettings = Mapping[str, SettingValue]
"""Full keys (``index.knn``) to texts or lists of texts, as GET shows them."""


def _rows(kind: SettingType, mutability: Mutability, defaults: str, **limits: Any) -> Iterator[Setting]:
    """Yield settings spelled ``key=default``; an empty default is the empty text."""
    for word in defaults.split():
        key, _, default = word.partition("=")
        yield Setting(PREFIX + key, kind, default, mutability=mutability, **limits)


def _table() -> Iterator[Setting]:
    dynamic, static, final = Mutability.DYNAMIC, Mutability.STATIC, Mutability.FINAL
    boolean, integer, text, time = SettingType.BOOLEAN, SettingType.INTEGER, SettingType.TEXT, SettingType.TIME
    yield from _rows(integer, static, "number_of_shards=1", low=1, high=1024)
    yield from _rows(integer, dynamic, "number_of_replicas=1", low=0)
    yield from _rows(
        time, dynamic, "refresh_interval=1s gc_deletes=60s search.idle.after=30s translog.sync_interval=5s"
    )
    yield from _rows(
        integer, dynamic,
        "max_result_window=10000 max_inner_result_window=100 max_rescore_window=10000 max_docvalue_fields_search=100 "
        "max_script_fields=32 max_terms_count=65536 max_regex_length=1000 max_refresh_listeners=1000 "
        "max_slices_per_scroll=1024 max_slices_per_pit=1024 max_shingle_diff=3 max_ngram_diff=1 "
        "analyze.max_token_count=10000 highlight.max_analyzed_offset=1000000 mapping.total_fields.limit=1000 "
        "mapping.depth.limit=20 mapping.nested_fields.limit=50 mapping.nested_objects.limit=10000 "
        "mapping.field_name_length.limit=50000",
        low=1,
    )  # fmt: skip
    yield from _rows(boolean, static, "mapping.ignore_malformed=false mapping.coerce=true")
    yield from _rows(
        text, dynamic,
        "default_pipeline=_none final_pipeline=_none search.default_pipeline=_none auto_expand_replicas=false "
        "translog.flush_threshold_size=512mb priority=1",
    )  # fmt: skip
    yield Setting("index.query.default_field", SettingType.WORDS, ["*"])
    yield Setting(
        "index.translog.durability", SettingType.CHOICE, "request", choices=("request", "async", "REQUEST", "ASYNC")
    )
    yield Setting(
        "index.replication.type", SettingType.CHOICE, "DOCUMENT", choices=("DOCUMENT", "SEGMENT"), mutability=final
    )
    yield from _rows(
        boolean, dynamic,
        "blocks.read_only=false blocks.write=false blocks.read=false blocks.metadata=false "
        "blocks.read_only_allow_delete=false hidden=false requests.cache.enable=true query_string.lenient=false "
        "knn.memory_optimized_search=false knn.faiss.efficient_filter.disable_exact_search=false "
        "knn.disk.vector.shard_level_rescoring_disabled=false merge.scheduler.auto_throttle=true",
    )  # fmt: skip
    yield from _rows(boolean, final, "knn=false knn.derived_source.enabled=true")
    yield from _rows(integer, dynamic, "knn.algo_param.ef_search=100", low=2)
    yield from _rows(integer, static, "knn.algo_param.m=16 knn.algo_param.ef_construction=100", low=2)
    yield from _rows(text, static, "knn.space_type=l2")
    yield from _rows(integer, dynamic, "knn.advanced.approximate_threshold=0", low=-1)
    yield from _rows(integer, dynamic, "knn.advanced.filtered_exact_search_threshold=-1", low=-1)
    yield from _rows(integer, dynamic, "neural_search.semantic_ingest_batch_size=10", low=1, high=100)
    # of no effect in 3.6 as here
    yield from _rows(integer, dynamic, "neural_search.hybrid_collapse_docs_per_group_per_subquery=0", low=0, high=1000)
    yield from _rows(boolean, static, "load_fixed_bitset_filters_eagerly=true soft_deletes.enabled=true")
    yield from _rows(integer, static, "number_of_routing_shards=1 routing_partition_size=1", low=1)
    yield from _rows(text, static, "codec.compression_level=3 shard.check_on_startup=false")
    yield Setting("index.codec", SettingType.CHOICE, "default", choices=_CODECS, mutability=static)
    for family in ("analysis.*", "similarity.*", "store.*", "sort.*", "composite_index.*"):
        yield Setting(PREFIX + family, SettingType.TEXT, "", mutability=static)
    for family in (
        "routing.*", "allocation.*", "search.*", "indexing.*", "merge.*", "translog.*", "soft_deletes.*",
        "unassigned.*", "write.*", "warmer.*", "knn.remote_index_build.*", "plugins.*", "mapping.*",
        "append_only.*", "optimize_doc_id_lookup.*", "remote_store.*", "lifecycle.*",
    ):  # fmt: skip
        yield Setting(PREFIX + family, SettingType.TEXT, "")


_SETTINGS = {setting.key: setting for setting in _table()}
_FAMILIES = sorted((key[:-1] for key in _SETTINGS if key.endswith("*")), key=len, reverse=True)


def find_setting(key: str) -> Setting | None:
    """Return the row of a full key, its family's when it has none of its own; None when nobody knows it."""
    family = next((prefix for prefix in _FAMILIES if key.startswith(prefix)), None)
    return _SETTINGS.get(key) or (None if family is None else _SETTINGS[family + "*"])


def flatten_settings(body: Mapping[str, Any]) -> dict[str, SettingValue | None]:
    """Return nested, dotted or mixed settings as full keys; scalars become texts, None stays (a reset).

    ParseError for a key given twice, or a value that is neither a scalar nor a list of scalars.
    """
    flat: dict[str, SettingValue | None] = {}
    for key, value in setting_leaves(body):
        full = key if key.startswith(PREFIX) else PREFIX + key
        if full in flat and flat[full] != value:
            raise ParseError(f"duplicate settings key [{full}], previous value [{flat[full]}], current value [{value}]")
        flat[full] = value
    return flat


def check_settings(flat: Mapping[str, SettingValue | None]) -> None:
    """Refuse in OpenSearch's words: SettingsError what is unknown, IllegalArgument what is private or does not fit.

    A key with ``None`` may be a ``*`` pattern.
    """
    for key, value in flat.items():
        setting = find_setting(key)
        if setting is None and key not in _PRIVATE and not (value is None and "*" in key):
            raise SettingsError(
                f"unknown setting [{key}] please check that any required plugins are installed, or check the breaking "
                "changes documentation for removed settings"
            )
        if key in _PRIVATE:
            raise IllegalArgument(f"private index setting [{key}] can not be set explicitly")
        if value is not None and setting is not None and not setting.family:
            setting.check(key, value)
        if value is not None and key.startswith("index.similarity."):
            name, _, part = key.removeprefix("index.similarity.").partition(".")
            if name != "default" or value not in _SIMILARITY.get(part, ()):
                raise IllegalArgument(
                    f"[{key}: {value}] is not supported by Antiphon: texts are scored by BM25 with k1 1.2 and b 0.75"
                )


def check_made_of(flat: Mapping[str, SettingValue | None], mapping: IndexMapping) -> None:
    """IllegalArgument for what an index cannot be made of: sorted by no field, n-grams of too many lengths."""
    for path in words(flat.get("index.sort.field") or []):
        field = mapping.field(path)
        if field is None:
            raise IllegalArgument(f"unknown index sort field:[{path}]")
        if not field.doc_values:
            raise IllegalArgument(f"docvalues not found for index sort field:[{path}]")
    for order in words(flat.get("index.sort.order") or []):
        if order not in ("asc", "desc"):
            raise IllegalArgument(f"Illegal sort order:{order}")
    limit = setting_number({key: value for key, value in flat.items() if value is not None}, "index.max_ngram_diff")
    for key, value in flat.items():
        if value in ("ngram", "nGram") and key.startswith("index.analysis.") and key.endswith(".type"):
            low, high = (flat.get(key[:-4] + name) or default for name, default in (("min_gram", 1), ("max_gram", 2)))
            difference = int(str(high)) - int(str(low))
            if difference > limit:
                raise IllegalArgument(
                    "The difference between max_gram and min_gram in NGram Tokenizer must be less than or equal to: "
                    f"[{limit}] but was [{difference}]. This limit can be set by changing the [index.max_ngram_diff] "
                    "index level setting."
                )


def field_defaults(flat: Mapping[str, SettingValue | None]) -> FieldDefaults:
    """Return what the settings say of values that do not fit their field."""
    return FieldDefaults(
        flat.get("index.mapping.ignore_malformed") == "true", flat.get("index.mapping.coerce") != "false"
    )


def created_settings(
    asked: Mapping[str, SettingValue | None], *, name: str, uuid: str, created_ms: int, api_version: str
) -> dict[str, SettingValue]:
    """Return the settings of a new index: what was asked (checked), and what OpenSearch always shows."""
    return {
        **_ALWAYS,
        **{key: value for key, value in asked.items() if value is not None},
        "index.provided_name": name,
        "index.creation_date": str(created_ms),
        "index.uuid": uuid,
        "index.version.created": version_created(api_version),
    }


def changed_settings(
    current: FlatSettings, changes: Mapping[str, SettingValue | None], *, closed: bool, where: str, preserve: bool
) -> dict[str, SettingValue]:
    """Return the settings after a PUT; None resets, ``preserve`` keeps what is set already.

    IllegalArgument for one that is not dynamic while the index is open, SettingsError for a final one; ``where`` is
    ``name/uuid``.
    """
    wanted = {key: value for key, value in _without_patterns(current, changes).items() if current.get(key) != value}
    if preserve:
        wanted = {key: value for key, value in wanted.items() if key not in current}
    fixed = [key for key in sorted(wanted) if _mutability(key) is not Mutability.DYNAMIC]
    if fixed and not closed:
        raise IllegalArgument(f"Can't update non dynamic settings [[{', '.join(fixed)}]] for open indices [[{where}]]")
    for key in fixed:
        if key == "index.number_of_shards" or _mutability(key) is Mutability.FINAL:
            raise SettingsError(f"final {where.partition('/')[0]} setting [{key}], not updateable")
    merged = {key: value for key, value in (dict(current) | wanted).items() if value is not None}
    return {**{key: value for key, value in _ALWAYS.items() if key not in merged}, **merged}


def default_settings(current: FlatSettings) -> dict[str, SettingValue]:
    """Return the defaults of every setting that ``current`` does not hold."""
    return {key: row.default for key, row in sorted(_SETTINGS.items()) if not row.family and key not in current}


def setting(current: FlatSettings, key: str) -> SettingValue:
    """Return the value in force: what is set, or the default of the table; ``key`` is full."""
    row = _SETTINGS.get(key)
    return current.get(key, row.default if row is not None else "")


def setting_number(current: FlatSettings, key: str) -> int:
    """Return a whole number in force."""
    value = setting(current, key)
    return int(value) if isinstance(value, str) else int(value[0])


def setting_flag(current: FlatSettings, key: str) -> bool:
    """Return a boolean in force."""
    return setting(current, key) == "true"


def is_hidden(current: FlatSettings) -> bool:
    """True when patterns pass the index over."""
    return setting_flag(current, "index.hidden")


def replicas(current: FlatSettings) -> int:
    """Return how many copies of each shard are wanted; ``auto_expand_replicas`` wants none on a single node."""
    expanding = setting(current, "index.auto_expand_replicas")
    return 0 if expanding != "false" else setting_number(current, "index.number_of_replicas")


def version_created(api_version: str) -> str:
    """Return OpenSearch's number of a version: 3.6.0 is ``137277827``."""
    major, minor, patch = (int(part) for part in api_version.split("."))
    return str((major * 1_000_000 + minor * 10_000 + patch * 100 + 99) ^ 0x08000000)


def _mutability(key: str) -> Mutability:
    row = find_setting(key)
    return Mutability.DYNAMIC if row is None else row.mutability


def _without_patterns(
    current: FlatSettings, changes: Mapping[str, SettingValue | None]
) -> dict[str, SettingValue | None]:
    """Return the changes with a null ``index.x.*`` spelled out for each key that is set."""
    spelled: dict[str, SettingValue | None] = {}
    for key, value in changes.items():
        if value is None and key.endswith("*"):
            spelled |= {name: None for name in current if name.startswith(key[:-1]) and name not in _PRIVATE}
        else:
            spelled[key] = value
    return spelled
