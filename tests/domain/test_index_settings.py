"""Index settings: spellings, values, when they change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.index import Index
from antiphon.domain.index_settings import (
    changed_settings,
    check_settings,
    created_settings,
    default_settings,
    flatten_settings,
    replicas,
    setting_number,
    version_created,
)
from antiphon.errors import AntiphonError
from antiphon.wire.index import write_settings

SPELLINGS: list[dict[str, Any]] = [
    {"index": {"knn": True, "knn.algo_param.ef_search": 100}},
    {"index.knn": True, "index.knn.algo_param.ef_search": "100"},
    {"knn": "true", "knn.algo_param": {"ef_search": 100}},
    {"index": {"knn": "true"}, "index.knn.algo_param": {"ef_search": "100"}},
]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_every_spelling_means_the_same(spelled: dict[str, Any]) -> None:
    assert flatten_settings(spelled) == {"index.knn": "true", "index.knn.algo_param.ef_search": "100"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"foo": 1}, ("unknown setting [index.foo] please check that any required plugins are installed, or check the "
                     "breaking changes documentation for removed settings")),
        ({"number_of_shards": 0}, "Failed to parse value [0] for setting [index.number_of_shards] must be >= 1"),
        ({"knn.algo_param.ef_search": 1}, ("Failed to parse value [1] for setting [index.knn.algo_param.ef_search] "
                                          "must be >= 2")),
        ({"neural_search.semantic_ingest_batch_size": 101}, ("Failed to parse value [101] for setting "
                                          "[index.neural_search.semantic_ingest_batch_size] must be <= 100")),
        ({"knn": "yes"}, "Failed to parse value [yes] as only [true] or [false] are allowed."),
        ({"uuid": "x"}, "private index setting [index.uuid] can not be set explicitly"),
        ({"version": {"created": 1}}, "private index setting [index.version.created] can not be set explicitly"),
        ({"knn": True, "index.knn": False}, ("duplicate settings key [index.knn], previous value [true], current value "
                                            "[false]")),
    ],
)  # fmt: skip
def test_what_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(AntiphonError) as raised:
        check_settings(flatten_settings(settings))
    assert (raised.value.reason, raised.value.status) == (reason, 400)


@pytest.mark.parametrize(
    "settings",
    [
        {"analysis": {"filter": {"s": {"type": "synonym", "synonyms": ["a,b"]}}}},
        {"replication": {"type": "DOCUMENT"}, "number_of_shards": "1"},
        {"knn.space_type": "l2", "knn.algo_param": {"m": 16, "ef_construction": 512}},
        {"routing": {"allocation": {"include": {"_tier": "hot"}}}},
        {"translog": {"durability": "async"}, "refresh_interval": "-1"},
        {"query": {"default_field": ["a", "b"]}},
    ],
)
def test_what_is_kept(settings: dict[str, Any]) -> None:
    check_settings(flatten_settings(settings))


def test_the_number_of_a_version() -> None:
    assert version_created("3.6.0") == "137277827"


def test_what_get_shows_can_be_put_again() -> None:
    """A client that takes out four settings and posts the rest makes the same index."""
    asked = flatten_settings({"knn": True, "analysis": {"analyzer": {"x": {"type": "english"}}}})
    made = created_settings(asked, name="a", uuid="u", created_ms=5, api_version="3.5.0")
    shown = write_settings(Index("a", "u", 5, made))["settings"]["index"]
    for key in ("uuid", "creation_date", "provided_name", "version"):
        del shown[key]
    again = flatten_settings({"index": shown})
    check_settings(again)
    assert created_settings(again, name="a", uuid="u", created_ms=5, api_version="3.5.0") == made


def test_defaults_are_those_that_are_not_set() -> None:
    defaults = default_settings({"index.knn": "true"})
    assert "index.knn" not in defaults
    assert defaults["index.max_result_window"] == "10000"
    assert setting_number({}, "index.max_result_window") == 10_000


@pytest.mark.parametrize(
    ("changes", "closed", "reason"),
    [
        ({"index.knn": "true"}, False, "Can't update non dynamic settings [[index.knn]] for open indices [[a/U]]"),
        ({"index.knn": "true"}, True, "final a setting [index.knn], not updateable"),
        (
            {"index.number_of_shards": "2"},
            False,
            "Can't update non dynamic settings [[index.number_of_shards]] for open indices [[a/U]]",
        ),
        ({"index.number_of_shards": "1"}, False, None),
        ({"index.codec": "zstd"}, True, None),
        ({"index.number_of_replicas": "2"}, False, None),
    ],
)
def test_when_a_setting_changes(changes: dict[str, Any], closed: bool, reason: str | None) -> None:
    current = {"index.number_of_shards": "1", "index.number_of_replicas": "1"}
    if reason is None:
        changed = changed_settings(current, changes, closed=closed, where="a/U", preserve=False)
        assert changed.items() >= changes.items()
    else:
        with pytest.raises(AntiphonError) as raised:
            changed_settings(current, changes, closed=closed, where="a/U", preserve=False)
        assert raised.value.reason == reason


def test_null_resets_and_patterns_reset_many() -> None:
    current = {"index.number_of_replicas": "3", "index.search.slowlog.level": "x", "index.search.slowlog.y": "1"}
    changed = changed_settings(
        current,
        {"index.number_of_replicas": None, "index.search.slowlog.*": None},
        closed=False,
        where="a/U",
        preserve=False,
    )
    assert changed == {
        "index.number_of_replicas": "1",
        "index.number_of_shards": "1",
        "index.replication.type": "DOCUMENT",
    }


@pytest.mark.parametrize(
    ("settings", "copies"),
    [({}, 1), ({"index.number_of_replicas": "2"}, 2), ({"index.auto_expand_replicas": "0-1"}, 0)],
)
def test_replicas(settings: dict[str, str], copies: int) -> None:
    assert replicas(settings) == copies


_keys = st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=4).map(".".join)


@given(st.dictionaries(_keys, st.text("xy1", max_size=3), max_size=6))
def test_flat_settings_come_back_from_what_is_shown(flat: dict[str, str]) -> None:
    full = {f"index.{key}": value for key, value in flat.items()}
    shown = write_settings(Index("a", "u", 1, full))["settings"]
    assert flatten_settings(shown) == full
