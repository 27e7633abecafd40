"""Plain usearch HNSW in a process of its own; run by the interpreter of an environment that has it.

    python neighbours.py VECTORS.npy QUERIES.npy THREADS

It builds the graph and prints a line ``{"built_s": 1.5}``. Then each line of stdin, ``{"numbers": [0, 1], "k": 10}``,
is answered by a line ``{"times_ms": [...], "ids": [[...], ...]}``: each query was asked alone, on one thread.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from usearch.index import Index


def main() -> None:
    vectors, queries = np.load(sys.argv[1]), np.load(sys.argv[2])
    start = time.perf_counter()
    index = Index(
        ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_add=100, expansion_search=64
    )
    index.add(np.arange(len(vectors)), vectors, threads=int(sys.argv[3]))
    print(json.dumps({"built_s": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        times, ids = [], []
        for number in asked["numbers"]:
            query = queries[number % len(queries)]
            start = time.perf_counter()
            found = index.search(query, asked["k"], threads=1).keys
            times.append((time.perf_counter() - start) * 1000)
            ids.append([int(one) for one in found])
        print(json.dumps({"times_ms": times, "ids": ids}), flush=True)


if __name__ == "__main__":
    main()
