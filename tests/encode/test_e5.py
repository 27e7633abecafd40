"""The real model: the engine against vectors computed by plain numpy (tests/support/reference_e5.py)."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig
from antiphon.encode import Loader
from antiphon.encode.encoder import ModelEncoder
from antiphon.encode.probes import cosine
from antiphon.encode.tokenize import TextTokenizer

GOLDEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "golden" / "e5_bundled.json").read_text(encoding="utf-8")
)["vectors"]
TEXTS = [one["text"] for one in GOLDEN]
CONFIG = ModelConfig("bert", embedding_dimension=384, query_prefix="query: ", passage_prefix="passage: ")

TOLERANCE = {Precision.FP32: 5e-5, Precision.BF16: 1e-2}
"""Of one component (they are around 0.3), the norm (around 4.8) and a tenth of the projection's."""


@pytest.fixture(scope="module")
def folder(e5_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("e5") / ("e5" * 32)
    with zipfile.ZipFile(e5_package) as archive:
        archive.extractall(unpacked)
    return unpacked


@pytest.fixture(scope="module")
def loader(folder: Path) -> Loader:
    return Loader(cache_dir=folder.parent / "cache")


@pytest.fixture(scope="module", params=[Precision.FP32, Precision.BF16])
def encoder(request: pytest.FixtureRequest, loader: Loader, folder: Path) -> Iterator[ModelEncoder]:
    loaded = loader.load(folder, CONFIG, request.param)
    yield loaded
    loaded.close()


def test_token_ids(folder: Path) -> None:
    tokens = TextTokenizer.load(folder, CONFIG)(TEXTS)
    assert [one.ids.tolist() for one in tokens] == [one["ids"] for one in GOLDEN]


def test_golden_vectors(encoder: ModelEncoder) -> None:
    tolerance = TOLERANCE[encoder.report.precision]
    rows = encoder.encode(TEXTS).matrix()
    for row, golden in zip(rows.astype(np.float64), GOLDEN, strict=True):
        np.testing.assert_allclose(row[:16], golden["first"], rtol=0, atol=tolerance)
        assert np.linalg.norm(row) == pytest.approx(golden["norm"], abs=tolerance)
        assert row @ np.cos(np.arange(len(row))) == pytest.approx(golden["projection"], abs=10 * tolerance)


def test_the_report(encoder: ModelEncoder) -> None:
    report = encoder.report
    assert (report.dimension, report.max_tokens, report.lossy) == (384, 512, False)
    assert report.batch_cosine >= 0.99999
    assert report.role_cosine is not None
    assert 0.5 < report.role_cosine < 0.99
    assert report.precision_cosine is not None
    assert report.precision_cosine >= 0.9999


def test_a_vector_depends_neither_on_its_batch_nor_on_concurrency(encoder: ModelEncoder) -> None:
    alone = [encoder.encode([text]).rows[0] for text in TEXTS]
    bulk = [*TEXTS, "passage: " + "a neighbour of 512 tokens " * 150, "query: x"]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(encoder.encode, [bulk, *([text] for text in TEXTS), bulk[::-1]]))
    assert [position for position, count in enumerate(answers[0].lost) if count] == [len(TEXTS)]
    singles = [answer.rows[0] for answer in answers[1:-1]]
    for rows in (answers[0].rows, singles, answers[-1].rows[::-1]):
        assert min(cosine(row, other) for row, other in zip(rows, alone, strict=False)) >= 0.99999


def test_single_texts_get_graphs_of_their_own_and_the_same_vectors(encoder: ModelEncoder) -> None:
    texts = [f"query: {'word ' * (1 + i % 12)}{i}" for i in range(72)]
    together = encoder.encode(texts).rows
    alone = [encoder.encode([text]).rows[0] for text in texts[:36]]
    until = time.monotonic() + 60
    while len(encoder.stats().fixed_widths) < 2:
        assert time.monotonic() < until, encoder.stats()
        time.sleep(0.01)
    alone += [encoder.encode([text]).rows[0] for text in texts[36:]]
    assert min(cosine(row, other) for row, other in zip(alone, together, strict=True)) >= 0.99999


def test_int8_says_what_it_costs(loader: Loader, folder: Path) -> None:
    encoder = loader.load(folder, CONFIG, Precision.INT8)
    exact = loader.load(folder, CONFIG, Precision.FP32)
    try:
        assert encoder.report.lossy
        assert encoder.report.batch_cosine >= 0.99999
        assert encoder.report.precision_cosine is not None
        assert 0.99 < encoder.report.precision_cosine < 0.99999  # AMX keeps activations in bf16
        pairs = zip(encoder.encode(TEXTS).rows, exact.encode(TEXTS).rows, strict=True)
        assert min(cosine(row, other) for row, other in pairs) > 0.99
    finally:
        encoder.close()
        exact.close()
