"""Kill -9 at any moment: every acknowledged write is there afterwards, and every structure agrees and is still used.

Half of the children die at a moment, the others at a step: just before or after something becomes durable.
"""

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

KILLS = 24
ROOT = Path(__file__).parents[2]
CHILD = """
import itertools, os, signal, sys, random, threading
from pathlib import Path
from antiphon.domain.store import Write
from antiphon.engine import LocalEngine
from antiphon.engine.documents import Documents
from antiphon.engine.graph import Graph
from antiphon.engine.pieces import Limits
from tests.engine.conftest import MAPPING, put

chance = random.Random(int(sys.argv[2]))
deadly = int(sys.argv[3])
steps = itertools.count(1)

def dying(function):
    def act(*args, **options):
        if next(steps) == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        done = function(*args, **options)
        if next(steps) == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return act

limits = Limits(seal_documents=60, graph_vectors=100, idle_s=0.05, dead_text=0.1, removals=50)
engine = LocalEngine(Path(sys.argv[1]), limits)
at = engine.open if engine.known() else engine.create
store = at("u", MAPPING, {"index.refresh_interval": "20ms"})
if deadly:
    os.fsync, Path.replace = dying(os.fsync), dying(Path.replace)
    Documents.note, Graph.save = dying(Documents.note), dying(Graph.save)

def always(act):
    while True:
        act()

print("open", flush=True)
for act in (store.tend, store.build_graph):
    threading.Thread(target=always, args=(act,), daemon=True).start()
for step in range(1_000_000):
    names = [str(chance.randrange(400)) for _ in range(chance.choice((1, 3, 40)))]
    values = [None if chance.random() < 0.3 else chance.randrange(10**9) for _ in names]
    writes = [Write(n) if v is None else put(n, {"year": v, "part": [{"text": "x"}]}) for n, v in zip(names, values)]
    print("try", ",".join(f"{n}={v}" for n, v in zip(names, values)), flush=True)
    store.write(writes)
    print("done", flush=True)
    match chance.randrange(40):
        case 0:
            store.force_merge()
        case 1:
            store.rebuild()
        case 2:
            store.flush()
"""


def test_nothing_acknowledged_is_lost_and_nothing_deleted_comes_back(tmp_path: Path) -> None:
    chance = random.Random(7)
    expected: dict[str, str] = {}
    for kill in range(KILLS):
        lines = _killed_child(tmp_path, kill, chance)
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


def _killed_child(folder: Path, seed: int, chance: random.Random) -> list[str]:
    step = chance.randrange(1, 60) if seed % 2 else 0
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(seed), str(step)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with child:
        assert child.stdout is not None
        said = child.stdout.readline()
        assert said == "open\n" or (step and "open\n".startswith(said))  # its refresher may reach the deadly step first
        if not step:
            time.sleep(chance.uniform(0.02, 0.6))  # the moment of death, not a wait for something
            child.kill()
        lines = child.stdout.read().split("\n")
    return lines[:-1]  # the last one may be cut short


def _checked(folder: Path, expected: dict[str, str], tried: dict[str, str]) -> dict[str, str]:
    engine = LocalEngine(folder)
    store = engine.open("u", MAPPING, OFF)
    assert store.loaded, "the structures on disk were of no use"
    held = store.snapshot()
    table = held.view.table()
    rows = np.flatnonzero(table.alive)
    found = {doc.id: str(json.loads(doc.source)["year"]) for doc in held.stored(rows.tolist())}
    before = {doc_id: value for doc_id, value in expected.items() if value != "None"}
    after = {doc_id: value for doc_id, value in (expected | tried).items() if value != "None"}
    assert found in (before, after)
    for path in ("", "part"):
        alive = held.view.table(path)
        assert alive.lexicon is not None
        keys = alive.lexicon.all(tantivy.Query.all_query())[0]
        assert sorted(keys) == alive.keys[alive.alive].tolist()
    columns = [part.vectors["vec"] for part in table.parts]
    assert sum(len(column.rows) for column in columns) == table.size
    assert all(column.graph is None or column.graph.size == len(column.rows) for column in columns)
    assert held.view.table("part").alive.sum() == len(rows) == store.stats().documents
    held.close()
    engine.close()
    return expected | tried if found == after else expected
