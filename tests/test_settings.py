"""Four sources, one frozen value: who wins, what is read, and what is refused in which words."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.deployment import Precision
from antiphon.errors import IllegalArgument
from antiphon.settings import Settings, settings_table


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "antiphon.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = _file(tmp_path, "host: file\nport: 1\ncluster_name: file\n")
    loaded = Settings.load(
        file=file, env={"ANTIPHON_HOST": "env", "ANTIPHON_PORT": "2"}, flags={"host": "flag", "node_name": None}
    )
    assert (loaded.host, loaded.port, loaded.cluster_name, loaded.node_name) == ("flag", 2, "file", "antiphon-1")


def test_values_are_read_from_text_and_from_yaml(tmp_path: Path) -> None:
    file = _file(tmp_path, "max_body_bytes: 10kb\nshutdown_grace_s: 1.5\nthreads: 3\nmodel: null\ndata: ~/models\n")
    env = {"ANTIPHON_PRECISION": "BF16", "ANTIPHON_MAX_PACKAGE_BYTES": "2 GB", "ANTIPHON_LOG_LEVEL": "debug"}
    loaded = Settings.load(file=file, env=env)
    assert (loaded.max_body_bytes, loaded.max_package_bytes) == (10_240, 2 * 1024**3)
    assert (loaded.shutdown_grace_s, loaded.threads, loaded.model) == (1.5, 3, None)
    assert loaded.data == Path.home() / "models"
    assert (loaded.precision, loaded.log_level) == (Precision.BF16, "debug")


def test_the_environment_may_name_the_file_and_a_flag_names_another(tmp_path: Path) -> None:
    named = _file(tmp_path, "port: 1")
    other = tmp_path / "other.yaml"
    other.write_text("port: 2", encoding="utf-8")
    env = {"ANTIPHON_CONFIG": str(named)}
    assert Settings.load(env=env).port == 1
    assert Settings.load(env=env, file=other).port == 2


def test_without_sources_the_defaults_hold_and_the_environment_is_not_looked_at(monkeypatch: Any) -> None:
    monkeypatch.setenv("ANTIPHON_PORT", "1")
    assert Settings.load() == Settings()
    assert Settings().port == 9200


def test_folders_follow_the_xdg_variables(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert (Settings().data, Settings().cache) == (tmp_path / "data/antiphon", tmp_path / "cache/antiphon")


def test_variables_that_are_empty_or_of_others_are_passed_over() -> None:
    env = {"ANTIPHON_PORT": "", "ANTIPHON_URL": "http://x", "ANTIPHON_PYTHON": "python3", "PATH": "/bin", "PORT": "1"}
    assert Settings.load(env=env) == Settings()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"ANTIPHON_PROT": "1"}, "unknown environment variable [ANTIPHON_PROT]: did you mean [ANTIPHON_PORT]?"),
        (
            {"ANTIPHON_PORT": "70000"},
            "environment variable [ANTIPHON_PORT] cannot be [70000]: it must be an integer from 0 to 65535",
        ),
        (
            {"ANTIPHON_PRECISION": "fp16"},
            "environment variable [ANTIPHON_PRECISION] cannot be [fp16]: it must be one of auto, fp32, bf16, int8",
        ),
        (
            {"ANTIPHON_SHUTDOWN_GRACE_S": "inf"},
            "environment variable [ANTIPHON_SHUTDOWN_GRACE_S] cannot be [inf]: it must be a number of seconds",
        ),
    ],
)
def test_a_bad_variable_is_refused_by_name(env: dict[str, str], message: str) -> None:
    with pytest.raises(IllegalArgument, match=re.escape(message)):
        Settings.load(env=env)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", r"unknown setting \[prot\] of the file \[.*antiphon.yaml\]: did you mean \[port\]\?"),
        ("zzz: 1", r"unknown setting \[zzz\] .*: known are cache, cluster, cluster_ca_cert"),
        ("port: 1\nport: 2", r"setting \[port\] of the file \[.*\] is there twice: keep one"),
        ("port: true", r"setting \[port\] of the file \[.*\] cannot be \[True\]: it must be an integer"),
        ("host: null", r"setting \[host\] of the file \[.*\] cannot be \[None\]: it must be a text"),
        ("max_body_bytes: 10xb", r"cannot be \[10xb\]: it must be a number of bytes above 0"),
        ("- port", r"must be a mapping such as \[port: 9200\]"),
        ("port: [", "is not YAML: "),
        ("port: !!python/name:os.system", "is not YAML: "),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(IllegalArgument, match=message):
        Settings.load(file=_file(tmp_path, text))


def test_a_file_that_is_not_there_is_refused_and_an_empty_one_is_fine(tmp_path: Path) -> None:
    with pytest.raises(IllegalArgument, match=r"nowhere.yaml\] cannot be read: No such file or directory"):
        Settings.load(file=tmp_path / "nowhere.yaml")
    assert Settings.load(file=_file(tmp_path, "# nothing\n")) == Settings()


def test_a_bad_flag_is_refused_by_its_name() -> None:
    with pytest.raises(IllegalArgument, match=re.escape("flag [--log-level] cannot be [loud]: it must be one of")):
        Settings.load(flags={"log_level": "loud"})
    with pytest.raises(IllegalArgument, match=re.escape("unknown flag [prt]: did you mean [port]?")):
        Settings.load(flags={"prt": 1})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_password_of_the_cluster_has_a_variable_of_its_own_and_no_repr() -> None:
    env = {"ANTIPHON_CLUSTER": "https://me@h:1", "ANTIPHON_CLUSTER_PASSWORD": "s3/c@t"}
    loaded = Settings.load(env=env)
    assert loaded.cluster == "https://me:s3%2Fc%40t@h:1"
    assert "s3" not in repr(loaded)
    own = Settings.load(env=env, flags={"cluster": "me:own@h:1", "cluster_insecure": "True"})
    assert (own.cluster, own.cluster_insecure) == ("me:own@h:1", True)
    assert Settings.load(env={"ANTIPHON_CLUSTER_PASSWORD": "x"}).cluster is None
    with pytest.raises(IllegalArgument, match="names no user"):
        Settings.load(env=env, flags={"cluster": "https://h:1"})


def test_every_setting_has_a_variable_a_flag_and_a_sentence() -> None:
    for row in settings_table().values():
        assert row.variable == f"ANTIPHON_{row.name.upper()}"
        assert row.help.endswith(".")
        assert row.default
    assert list(settings_table()) == [field.name for field in dataclasses.fields(Settings)]


@given(st.dictionaries(st.sampled_from([row.variable for row in settings_table().values()]), st.text(max_size=12)))
def test_any_environment_is_read_or_refused_in_our_words(env: dict[str, str]) -> None:
    try:
        loaded = Settings.load(env=env)
    except IllegalArgument as refused:
        error = refused
    else:
        assert 0 <= loaded.port <= 65535
        assert loaded.max_body_bytes > 0
        return
    assert any(variable in error.reason for variable in env)


def test_the_home_of_nobody_is_no_folder() -> None:
    with pytest.raises(IllegalArgument, match=r"cannot be \[~nobody-has-this-name/x\]: it must be a folder"):
        Settings.load(flags={"data": "~nobody-has-this-name/x"})
