from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.cluster_settings import TABLE, ClusterSettings, find, validate
from antiphon.domain.setting import Mutability, SettingType
from antiphon.errors import AntiphonError, IllegalArgument, SettingsError

ML = "plugins.ml_commons."
DYNAMIC = [row for row in TABLE.values() if row.mutability is Mutability.DYNAMIC and not row.family]


@pytest.mark.parametrize("row", [row for row in TABLE.values() if not row.family], ids=lambda row: row.key)
def test_every_default_passes_its_own_check(row: Any) -> None:
    row.check(row.key, row.default)


def test_every_type_is_used_and_can_be_checked() -> None:
    assert {row.type for row in TABLE.values()} == set(SettingType)


def test_the_settings_said_to_act_are_those_the_flows_read() -> None:
    flows = Path(__file__).parents[2] / "src" / "antiphon" / "flows"
    source = "".join(path.read_text() for path in flows.glob("*.py"))
    read = {key for key in re.findall(r'"([a-z_.]+)"', source) if key in TABLE}
    assert read == {key for key, row in TABLE.items() if row.acts}


UNFIT = "Failed to parse value [{value}] for setting [{key}]"
BAD_SIZE = "failed to parse setting [{key}] with value [{value}] as a size in bytes"


@pytest.mark.parametrize(
    ("key", "value", "error", "reason"),
    [
        ("foo.bar", "1", SettingsError, "persistent setting [foo.bar], not recognized"),
        ("foo.bar", None, SettingsError, "persistent setting [foo.bar], not recognized"),
        ("plugins", "1", SettingsError, "persistent setting [plugins], not recognized"),
        ("logger.", "DEBUG", SettingsError, "persistent setting [logger.], not recognized"),
        ("logger.*", "DEBUG", SettingsError, "persistent setting [logger.*], not recognized"),
        (ML + "multi_tenancy_enabled", "true", SettingsError, "persistent setting [{key}], not dynamically updateable"),
        (ML + "metrics_collection_enabled", "true", SettingsError, "final persistent setting [{key}], not updateable"),
        (ML + "native_memory_threshold", "101", IllegalArgument, UNFIT + " must be <= 100"),
        (ML + "ml_task_timeout_in_seconds", "0", IllegalArgument, UNFIT + " must be >= 1"),
        (ML + "max_model_on_node", "ten", IllegalArgument, UNFIT),
        (ML + "max_json_size", "2147483648", IllegalArgument, UNFIT),
        (ML + "model_auto_redeploy_success_ratio", "nan", IllegalArgument, UNFIT),
        (
            ML + "only_run_on_ml_node", "yes", IllegalArgument,
            "Failed to parse value [yes] as only [true] or [false] are allowed.",
        ),
        (ML + "trusted_url_regex", "(", IllegalArgument, UNFIT + " it is not a regular expression: missing )"),
        (ML + "trusted_connector_endpoints_regex", ["a", "("], IllegalArgument, "value [(] for setting [{key}] it is"),
        (ML + "disk_free_space_threshold", "5 parsecs", IllegalArgument, BAD_SIZE + ": unit is missing"),
        (ML + "disk_free_space_threshold", "-2gb", IllegalArgument, BAD_SIZE),
        ("search.max_keep_alive", "5", IllegalArgument, "with value [5] as a time value: unit is missing"),
        (ML + "max_model_on_node", ["1"], IllegalArgument, "value [[1]] for setting [{key}] it takes one value"),
        ("antiphon.double_prefix", "shrug", IllegalArgument, UNFIT + " must be one of [warn, strip, reject]"),
    ],
)  # fmt: skip
def test_a_change_that_is_not_legal(key: str, value: Any, error: type[AntiphonError], reason: str) -> None:
    with pytest.raises(AntiphonError) as caught:
        validate("persistent", {key: value}, {})
    assert type(caught.value) is error
    assert reason.format(key=key, value=value) in caught.value.reason


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (ML + "exclude_nodes._name", "a, b"),
        (ML + "task_dispatcher.eligible_node_role.local_model", ["data"]),
        (ML + "model_auto_redeploy_success_ratio", ".5"),
        (ML + "disk_free_space_threshold", "1.5GB"),
        (ML + "disk_free_space_threshold", "-1"),
        (ML + "memory.retention_days", "7"),
        ("cluster.routing.allocation.exclude._ip", "10.0.0.1"),
        ("logger.org.opensearch.ml", "DEBUG"),
        ("search.default_search_timeout", "50s"),
        ("search.max_keep_alive", "0"),
    ],
)
def test_a_change_that_is_legal(key: str, value: Any) -> None:
    assert validate("transient", {key: value}, {}) == {key: value}


def test_a_star_resets_what_is_stored_before_other_changes_apply() -> None:
    stored = {ML + "max_model_on_node": "1", ML + "only_run_on_ml_node": "false", "logger.a": "DEBUG"}
    changes = {ML + "max_model_on_node": "2", "plugins.*": None}
    assert validate("persistent", changes, stored) == {ML + "max_model_on_node": "2", ML + "only_run_on_ml_node": None}
    assert set(validate("persistent", {"*": None}, stored)) == set(stored)
    assert validate("persistent", {"nothing.like.it.*": None}, stored) == {}


def test_a_stored_key_of_another_version_can_be_reset() -> None:
    assert validate("persistent", {"from.the.future": None}, {"from.the.future": "1"}) == {"from.the.future": None}


def test_transient_goes_before_persistent_before_default() -> None:
    key = ML + "max_model_on_node"
    assert ClusterSettings().number(key) == 10
    assert ClusterSettings({key: "3"}).number(key) == 3
    assert ClusterSettings({key: "3"}, {key: "4"}).number(key) == 4


def test_typed_access() -> None:
    view = ClusterSettings({ML + "exclude_nodes._name": " a,,b ", "logger.x": "DEBUG"})
    assert view.flag(ML + "only_run_on_ml_node") is True
    assert view.size_bytes(ML + "disk_free_space_threshold") == 5 * 1024**3
    assert view.words(ML + "exclude_nodes._name") == ("a", "b")
    assert view.words(ML + "task_dispatcher.eligible_node_role.local_model") == ("data", "ml")
    assert view.text("antiphon.double_prefix") == "warn"
    assert view.text("logger.x") == "DEBUG"
    assert view.number(ML + "model_auto_redeploy_success_ratio") == 0.8
    with pytest.raises(KeyError):
        view.get("no.such.key")


def test_the_default_url_pattern_trusts_ordinary_urls() -> None:
    pattern = re.compile(ClusterSettings().text(ML + "trusted_url_regex"))
    assert pattern.search("https://example.org/models/e5.zip")
    assert pattern.search("file:///data/e5.zip")
    assert not pattern.search("gopher://example.org/e5.zip")


@given(st.dictionaries(st.sampled_from([row.key for row in DYNAMIC]), st.booleans()))
def test_defaults_are_those_of_the_keys_that_are_not_set(chosen: dict[str, bool]) -> None:
    held: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for key, transient in chosen.items():
        row = find(key)
        assert row is not None
        held[transient][key] = row.default
    defaults = ClusterSettings(*held).defaults()
    assert defaults.keys().isdisjoint(chosen)
    assert defaults.keys() | chosen.keys() == {row.key for row in TABLE.values() if not row.family}


@given(st.integers(-(2**40), 2**40))
def test_an_integer_is_legal_exactly_within_its_range(number: int) -> None:
    for row in DYNAMIC:
        if row.type is SettingType.INTEGER:
            low = -(2**31) if row.low is None else row.low
            high = 2**31 - 1 if row.high is None else row.high
            try:
                row.check(row.key, str(number))
                legal = True
            except IllegalArgument:
                legal = False
            assert legal == (low <= number <= high)
