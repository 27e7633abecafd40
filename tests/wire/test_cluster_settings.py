from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.cluster_settings import ClusterSettings
from antiphon.errors import ParseError, ParsingError, ValidationError
from antiphon.wire.cluster_settings import read_changes, write_acknowledged, write_settings

ONLY = "plugins.ml_commons.only_run_on_ml_node"


@pytest.mark.parametrize(
    "section",
    [
        {ONLY: False},
        {ONLY: "false"},
        {"plugins": {"ml_commons": {"only_run_on_ml_node": False}}},
        {"plugins.ml_commons": {"only_run_on_ml_node": False}},
        {"plugins": {"ml_commons.only_run_on_ml_node": "false"}},
    ],
)
def test_flat_nested_and_mixed_keys_mean_the_same(section: dict[str, Any]) -> None:
    assert read_changes({"persistent": section}) == {"persistent": {ONLY: "false"}, "transient": {}}


def test_values_become_texts_lists_and_resets() -> None:
    body = {"transient": {"a": {"i": 99, "f": 0.8, "s": "x", "l": ["p", 1, True], "n": None, "*": None}}}
    changes = {"a.i": "99", "a.f": "0.8", "a.s": "x", "a.l": ["p", "1", "true"], "a.n": None, "a.*": None}
    assert read_changes(body) == {"persistent": {}, "transient": changes}


@pytest.mark.parametrize("body", [{}, {"persistent": {}}, {"persistent": None, "transient": {}}, {ONLY: False}])
def test_nothing_to_update(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"^Validation Failed: 1: no settings to update;$"):
        read_changes(body)


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        ([], ParsingError, r"\[cluster settings\] must be a JSON object"),
        ({"persistent": {"a": 1}, "presistent": {}}, ParsingError, r"unknown key \[presistent\] in the cluster set"),
        ({"persistent": {"a.b": 1, "a": {"b": 2}}}, ParseError, r"duplicate settings key \[a\.b\], previous value"),
        ({"persistent": {"a": [{}]}}, ParseError, r"only value lists are allowed .* \[a\] holds an object"),
        ({"persistent": {"a": [None]}}, ParseError, r"only value lists are allowed .* \[a\] holds null"),
        ({"persistent": json.loads('{"a":' * 300 + "1" + "}" * 300)}, ParseError, r"more than 50 levels deep"),
    ],
)
def test_a_body_that_is_not_legal(body: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        read_changes(body)


def test_the_answer_is_nested_unless_flat_is_asked_for() -> None:
    applied = {"persistent": {ONLY: "false", "plugins.ml_commons.exclude_nodes._name": ["a"]}}
    nested = {"plugins": {"ml_commons": {"only_run_on_ml_node": "false", "exclude_nodes": {"_name": ["a"]}}}}
    assert write_acknowledged(applied) == {"acknowledged": True, "persistent": nested, "transient": {}}
    assert write_acknowledged(applied, flat=True) == {"acknowledged": True, **applied, "transient": {}}


def test_a_key_below_a_key_that_holds_a_value_stays_dotted() -> None:
    settings = ClusterSettings({"logger.a.b": "WARN", "logger.a": "INFO", "logger.a.b.c": "DEBUG"})
    logger = {"a": "INFO", "a.b": "WARN", "a.b.c": "DEBUG"}
    assert write_settings(settings) == {"persistent": {"logger": logger}, "transient": {}}


def test_defaults_are_shown_on_request_without_those_that_are_set() -> None:
    shown = write_settings(ClusterSettings({ONLY: "false"}), flat=True, include_defaults=True)
    assert shown["persistent"] == {ONLY: "false"}
    assert ONLY not in shown["defaults"]
    assert shown["defaults"]["plugins.ml_commons.disk_free_space_threshold"] == "5368709120b"
    assert shown["defaults"]["antiphon.double_prefix"] == "warn"


NAMES = st.text("abc_", min_size=1, max_size=3)
KEYS = st.lists(NAMES, min_size=1, max_size=4).map(".".join)
VALUES = st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=3)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=8))
def test_what_is_written_nested_reads_back_as_the_flat_keys(flat: dict[str, Any]) -> None:
    nested = write_settings(ClusterSettings(flat))["persistent"]
    assert read_changes({"persistent": nested})["persistent"] == flat
    assert read_changes({"persistent": flat})["persistent"] == flat
