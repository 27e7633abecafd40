"""Kill -9 at any moment: every acknowledged write is there afterwards, and every structure agrees."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tantivy

from antiphon.engine import LocalEngine
from tests.engine.conftest import MAPPING, OFF

KILLS = 20
ROOT = Path(__file__).parents[2]
CHILD = """
import sys, random
from pathlib import Path
from antiphon.engine import LocalEngine
from antiphon.domain.store import Write
from tests.engine.conftest import MAPPING, put
chance = random.Random(int(sys.argv[2]))
engine = LocalEngine(Path(sys.argv[1]))
at = engine.open if engine.known() else engine.create
store = at("u", MAPPING, {"index.refresh_interval": "20ms"})
print("open", flush=True)
for step in range(1_000_000):
    names = [str(chance.randrange(400)) for _ in range(chance.choice((1, 3, 40)))]
    values = [None if chance.random() < 0.3 else chance.randrange(10**9) for _ in names]
    writes = [Write(n) if v is None else put(n, {"year": v, "part": [{"text": "x"}]}) for n, v in zip(names, values)]
    print("try", ",".join(f"{n}={v}" for n, v in zip(names, values)), flush=True)
    store.write(writes)
    print("done", flush=True)
    if chance.random() < 0.02:
        store.force_merge()
    if chance.random() < 0.02:
        store.rebuild()
"""


def test_nothing_acknowledged_is_lost_and_nothing_deleted_comes_back(tmp_path: Path) -> None:
    chance = random.Random(7)
    expected: dict[str, str] = {}
    for kill in range(KILLS):
        lines = _killed_child(tmp_path, kill, chance.uniform(0.02, 0.4))
        tried: dict[str, str] = {}
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "try":
                tried = dict(pair.split("=") for pair in rest.split(","))
            elif word == "done":
                expected |= tried
                tried = {}
        expected = _checked(tmp_path, expected, tried)
    assert len(expected) > 100


def _killed_child(folder: Path, seed: int, after_s: float) -> list[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(seed)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(after_s)  # the moment of death, not a wait for something
        child.kill()
        lines = child.stdout.read().split("\n")
    return lines[:-1]  # the last one may be cut short


def _checked(folder: Path, expected: dict[str, str], tried: dict[str, str]) -> dict[str, str]:
    engine = LocalEngine(folder)
    store = engine.open("u", MAPPING, OFF)
    held = store.snapshot()
    table = held.view.table()
    rows = np.flatnonzero(table.alive)
    found = {doc.id: str(json.loads(doc.source)["year"]) for doc in held.stored(rows.tolist())}
    before = {doc_id: value for doc_id, value in expected.items() if value != "None"}
    after = {doc_id: value for doc_id, value in (expected | tried).items() if value != "None"}
    assert found in (before, after)
    assert table.lexicon is not None
    keys = table.lexicon.all(tantivy.Query.all_query())[0]
    assert sorted(keys) == table.keys[rows].tolist()
    assert sum(len(part.vectors["vec"].rows) for part in table.parts) == table.size
    assert held.view.table("part").alive.sum() == len(rows) == store.stats().documents
    held.close()
    engine.close()
    return expected | tried if found == after else expected
