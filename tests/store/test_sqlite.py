"""The file on disk: restarts, locks, damage, versions, and death at any moment."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from antiphon.errors import AntiphonError
from antiphon.store import SqliteCatalog
from tests.store.examples import group, model, task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catalog.sqlite"


def test_everything_but_transient_settings_survives_a_restart(path: Path) -> None:
    with closing(SqliteCatalog(path)) as first:
        ids = first.node_id(), first.cluster_uuid()
        first.put_model(model(1))
        first.put_model(model(1))
        first.put_group(group(1))
        first.delete_group("group-1")
        first.put_settings("persistent", {"plugins.ml_commons.max_model_on_node": "7"})
        first.put_settings("transient", {"plugins.ml_commons.max_model_on_node": "8"})
        first.put_controller("model-1", {"user": {"limit": 1}})
    with closing(SqliteCatalog(path)) as second:
        assert (second.node_id(), second.cluster_uuid()) == ids
        assert [(item, stored.version) for item, stored in second.models()] == [(model(1), 2)]
        assert second.settings("persistent") == {"plugins.ml_commons.max_model_on_node": "7"}
        assert second.settings("transient") == {}
        assert second.controller("model-1") == {"user": {"limit": 1}}
        assert second.put_group(group(1)).version == 3


def test_a_folder_in_use_is_refused_with_the_holders_process_id(path: Path) -> None:
    with closing(SqliteCatalog(path)):
        expected = f"the data folder \\[{path.parent}\\] is in use by process {os.getpid()}; stop it or choose another"
        with pytest.raises(AntiphonError, match=expected):
            SqliteCatalog(path)
    SqliteCatalog(path).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AntiphonError, match=r"cannot use the data folder \[.*file.*\]"):
        SqliteCatalog(tmp_path / "file" / "catalog.sqlite")


def test_a_newer_schema_is_refused_and_the_folder_released(path: Path) -> None:
    SqliteCatalog(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(AntiphonError, match=r"has schema version 99, this version of Antiphon reads up to 1"):
            SqliteCatalog(path)


@pytest.mark.parametrize("content", [b"not a database at all" * 300, None])
def test_a_damaged_file_is_refused(path: Path, content: bytes | None) -> None:
    with closing(SqliteCatalog(path)) as catalog:
        for number in range(200):
            catalog.put_task(task(number))
    healthy = path.read_bytes()
    path.write_bytes(content or healthy[:4096] + os.urandom(8192) + healthy[12288:])
    for _ in range(2):
        with pytest.raises(AntiphonError, match=rf"the catalog \[{path}\] is damaged: (.|\n)*move it away to start"):
            SqliteCatalog(path)


def test_a_document_of_an_unknown_shape_is_named(path: Path) -> None:
    SqliteCatalog(path).close()
    _insert(path, "model", "broken", {"model_id": "broken", "model_state": "MELTED"})
    with closing(SqliteCatalog(path)) as catalog, pytest.raises(AntiphonError, match=r"catalog's model \[broken\]"):
        catalog.model("broken")


def test_fields_of_a_newer_version_do_not_break_reading(path: Path) -> None:
    SqliteCatalog(path).close()
    fields = {"model_group_id": "g", "name": "n", "created_time": 1, "last_updated_time": 2, "invented_later": [1]}
    _insert(path, "group", "g", fields)
    with closing(SqliteCatalog(path)) as catalog:
        found = catalog.group("g")
    assert found is not None
    assert (found.name, found.latest_version, found.access) == ("n", 0, "public")


def _insert(path: Path, kind: str, row_id: str, document: dict[str, object]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        values = (kind, row_id, 1, 0, 0, None, json.dumps(document).encode())
        connection.execute("INSERT INTO document VALUES (?, ?, ?, ?, ?, ?, ?)", values)


WRITER = """
import sys, itertools
from pathlib import Path
from antiphon.store import SqliteCatalog
from tests.store.examples import group, task

catalog = SqliteCatalog(Path(sys.argv[1]))
for number in itertools.count():
    with catalog.transaction():
        catalog.put_task(task(number))
        catalog.put_group(group(number))
    print(number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [0, 7, 40])
def test_kill_9_loses_nothing_acknowledged(path: Path, acknowledged: int) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < acknowledged:
            pass
        writer.send_signal(signal.SIGKILL)
        printed = writer.stdout.read().split("\n")[:-1]
    last = int(printed[-1]) if printed else acknowledged
    with closing(SqliteCatalog(path)) as catalog:
        tasks = [item.create_time for item, _ in catalog.tasks()]
        groups = [item.created_time for item, _ in catalog.groups()]
    assert tasks == groups == list(range(len(tasks)))
    assert len(tasks) in (last + 1, last + 2)
