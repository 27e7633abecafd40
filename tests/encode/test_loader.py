from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelConfig, Pooling
from antiphon.encode import FakeLoader, Loader
from antiphon.encode.backends import EngineFailure, Feeds, Floats, OnnxRuntime, OpenVino, RunAlone, has_fast_bf16
from antiphon.encode.probes import cosine
from antiphon.errors import InferenceError, QueueFull, Unavailable
from tests.support.tiny import tiny_folder, tokenizer_of_bytes

E5 = ModelConfig("bert", embedding_dimension=8, query_prefix="query: ", passage_prefix="passage: ")
TEXTS = ["", "a", "how much protein", "南瓜的家常做法", "b" * 300, "c" * 700, "Grüße aus Köln", "d" * 60]


@pytest.fixture(params=[FakeLoader, Loader], ids=["twin", "real"])
def loader(request: pytest.FixtureRequest) -> Any:
    return request.param(max_queue_texts=16)


def test_the_twin_and_the_real_one_keep_the_same_promises(loader: Any, tmp_path: Path) -> None:
    encoder = loader.load(tiny_folder(tmp_path), E5, Precision.FP32)
    encoded = encoder.encode(["x", "word " * 600, "x"])
    assert encoded.matrix().shape == (3, 8)
    assert encoded.matrix().dtype == np.float32
    assert np.array_equal(encoded.rows[0], encoded.rows[2])
    assert [count > 0 for count in encoded.lost] == [False, True, False]
    stats = encoder.stats()
    assert (stats.texts, stats.truncated_texts, stats.truncated_tokens) == (3, 1, sum(encoded.lost))
    assert encoder.encode([]).rows == []
    assert (encoder.report.dimension, encoder.report.max_tokens, encoder.report.lossy) == (8, 512, False)
    encoder.close()
    encoder.close()
    with pytest.raises(Unavailable):
        encoder.encode(["x"])


def test_the_twin_fails_on_request(tmp_path: Path) -> None:
    loader = FakeLoader(max_queue_texts=2)
    encoder = loader.load(tmp_path, E5, Precision.AUTO)
    loader.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(encoder.encode, ["a", "b"])
        while encoder.stats().queued_texts < 2:
            pass
        with pytest.raises(QueueFull):
            encoder.encode(["c"])
        loader.gate.set()
        assert len(waiting.result().rows) == 2
    loader.fail_encode = InferenceError("out of luck")
    with pytest.raises(InferenceError, match="out of luck"):
        encoder.encode(["a"])
    loader.fail_load = InferenceError("no model today")
    with pytest.raises(InferenceError, match="no model today"):
        loader.load(tmp_path, E5, Precision.AUTO)


def test_the_report_holds_the_figures(tmp_path: Path) -> None:
    report = Loader(threads=1).load(tiny_folder(tmp_path), E5, Precision.AUTO).report
    assert report.engine == "openvino"
    assert report.precision is (Precision.BF16 if has_fast_bf16() else Precision.FP32)
    assert report.threads == 1
    assert report.batch_cosine >= 0.99999
    assert report.role_cosine is not None
    assert report.role_cosine < 0.99999
    assert report.precision_cosine is not None
    assert report.precision_cosine >= 0.9999
    assert report.load_seconds > 0


def test_a_symmetric_model_has_no_role_figure(tmp_path: Path) -> None:
    assert Loader().load(tiny_folder(tmp_path), ModelConfig("bert"), Precision.AUTO).report.role_cosine is None


def test_int8_is_labelled_lossy(tmp_path: Path) -> None:
    report = Loader().load(tiny_folder(tmp_path, dimension=384), ModelConfig("bert"), Precision.INT8).report
    assert report.lossy
    assert report.precision is Precision.INT8
    assert report.precision_cosine is not None


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16, Precision.INT8])
@pytest.mark.parametrize("shape", [{}, {"outputs": "both", "layers": 2}, {"outputs": "2d"}, {"position_ids": True}])
def test_a_vector_does_not_depend_on_its_batch(tmp_path: Path, precision: Precision, shape: dict[str, Any]) -> None:
    encoder = Loader().load(tiny_folder(tmp_path, **shape), E5, precision)
    together = encoder.encode(TEXTS).rows
    for text, row in zip(TEXTS, together, strict=True):
        assert cosine(encoder.encode([text]).rows[0], row) >= 0.99999


@pytest.mark.parametrize("options", [{}, {"token_type_ids": False}, {"position_ids": True}, {"layers": 3}])
def test_engines_agree(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = tiny_folder(tmp_path, dimension=384, **options)
    ids = np.array([tokenizer_of_bytes().encode("hello").ids, [0, 9, 2, 1, 1, 1, 1, 1]], np.int64)
    known = {
        "input_ids": ids,
        "attention_mask": (ids != 1).astype(np.int64),
        "token_type_ids": np.zeros_like(ids),
        "position_ids": np.tile(np.arange(ids.shape[1]), (2, 1)),
    }
    reference = OnnxRuntime(folder / "model.onnx", 1)
    feeds = {name: known[name] for name in reference.inputs}
    expected = reference.run(feeds, 0)
    for precision, least in ((Precision.FP32, 0.9999999), (Precision.BF16, 0.9999), (Precision.INT8, 0.99)):
        engine = OpenVino(folder / "model.onnx", 2, precision)
        assert engine.inputs == reference.inputs
        result = engine.run(feeds, 0)
        assert result.shape == expected.shape
        assert cosine(result[0], expected[0]) >= least
        assert cosine(result[1, :3], expected[1, :3]) >= least


def test_concurrent_callers_get_the_vectors_they_get_alone(tmp_path: Path) -> None:
    encoder = Loader().load(tiny_folder(tmp_path), E5, Precision.AUTO)
    texts = [f"query: {'long ' * (i % 50)}text {i}" for i in range(120)]
    alone = [encoder.encode([text]).rows[0] for text in texts]
    with ThreadPoolExecutor(16) as pool:
        bulk = pool.submit(encoder.encode, texts * 3)
        singles = list(pool.map(lambda text: encoder.encode([text]).rows[0], texts))
    for row, other in zip(singles + bulk.result().rows, alone * 4, strict=True):
        assert cosine(row, other) >= 0.99999


def not_there(widths: Sequence[int]) -> RunAlone:
    raise EngineFailure(f"no branches for {widths}")


def other_vectors(widths: Sequence[int]) -> RunAlone:
    return lambda feeds, output: random_output(feeds)


def random_output(feeds: Feeds) -> Floats:
    shape = feeds["input_ids"].shape
    return np.random.default_rng(shape[1]).normal(size=(*shape, 8)).astype(np.float32)


@pytest.mark.parametrize(("fixed", "said"), [(not_there, "no branches for"), (other_vectors, "another vector")])
def test_branches_that_fail_their_proof_are_not_used(
    fixed: Callable[[Sequence[int]], RunAlone],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(OpenVino, "fixed", lambda self, widths: fixed(widths))
    encoder = Loader().load(tiny_folder(tmp_path), E5, Precision.FP32)
    texts = [f"query: text {i}" for i in range(64)]
    together = encoder.encode(texts).rows
    alone = [encoder.encode([text]).rows[0] for text in texts]
    encoder.close()
    assert said in caplog.text
    assert min(cosine(row, other) for row, other in zip(alone, together, strict=True)) >= 0.99999


def test_models_of_one_file_share_it_and_do_not_disturb_each_other(tmp_path: Path) -> None:
    folder, texts = tiny_folder(tmp_path), TEXTS[1:]
    mean = Loader().load(folder, E5, Precision.FP32)
    alone = mean.encode(texts).matrix()
    mean.close()
    mean = Loader().load(folder, E5, Precision.FP32)
    largest = Loader().load(folder, ModelConfig("bert", pooling_mode=Pooling.MAX), Precision.FP32)
    maxima = largest.encode(texts).matrix()
    assert not np.allclose(maxima, alone)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: (mean, largest)[n % 2].encode(texts).matrix(), range(64)))
    for number, vectors in enumerate(found):
        assert np.allclose(vectors, (alone, maxima)[number % 2], atol=1e-5)
    largest.close()
    assert np.allclose(mean.encode(texts).matrix(), alone, atol=1e-5)
    mean.close()


def test_a_file_that_became_another_is_read_again(tmp_path: Path) -> None:
    first = Loader().load(tiny_folder(tmp_path), E5, Precision.FP32)
    second = Loader().load(tiny_folder(tmp_path, seed=1), E5, Precision.FP32)
    assert cosine(first.encode(["a"]).rows[0], second.encode(["a"]).rows[0]) < 0.99
    first.close()
    second.close()


def test_pooling_none_gives_the_tokens_or_the_second_output(tmp_path: Path) -> None:
    config = ModelConfig("bert", pooling_mode=Pooling.NONE)
    tokens = Loader().load(tiny_folder(tmp_path / "one"), config, Precision.FP32).encode(["abc", "a" * 20])
    assert [row.shape for row in tokens.rows] == [(6, 8), (23, 8)]
    second = Loader().load(tiny_folder(tmp_path / "two", outputs="both"), config, Precision.FP32)
    mean = Loader().load(tiny_folder(tmp_path / "mean"), ModelConfig("bert"), Precision.FP32)
    np.testing.assert_allclose(second.encode(["abc"]).rows[0], mean.encode(["abc"]).rows[0], rtol=1e-4, atol=1e-5)


def test_a_pooled_first_output_is_the_vector(tmp_path: Path) -> None:
    pooled = Loader().load(tiny_folder(tmp_path / "pooled", outputs="2d"), E5, Precision.FP32)
    mean = Loader().load(tiny_folder(tmp_path / "mean"), E5, Precision.FP32)
    np.testing.assert_allclose(pooled.encode(TEXTS).matrix(), mean.encode(TEXTS).matrix(), rtol=1e-4, atol=1e-5)


def test_unit_length_only_when_the_configuration_says_so(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    raw = Loader().load(folder, ModelConfig("bert"), Precision.FP32).encode(["abc"]).rows[0]
    unit = Loader().load(folder, ModelConfig("bert", normalize_result=True), Precision.FP32).encode(["abc"]).rows[0]
    assert np.linalg.norm(unit) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(unit, raw / np.linalg.norm(raw), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        ({"fault": "nan"}, E5, "not finite"),
        ({"fault": "ignores_mask"}, E5, r"cosine 0\.\d+, limit 0.99999"),
        ({"fault": "constant"}, E5, "roles query and passage give the same vectors"),
        ({"dimension": 9}, E5, "9 dimensions, model_config.embedding_dimension says 8: register it with 9"),
        ({"extra_input": "pixel_values"}, E5, "pixel_values"),
        ({}, ModelConfig("bert", query_prefix="q: ", passage_prefix="q: "), "passage_prefix"),
        ({}, ModelConfig("bert", query_prefix="q" * 600, passage_prefix="p: "), "leaves no room for text"),
    ],
)
def test_a_model_that_fails_a_probe_is_not_loaded(
    tmp_path: Path, options: dict[str, Any], config: ModelConfig, message: str
) -> None:
    with pytest.raises(InferenceError, match=message):
        Loader().load(tiny_folder(tmp_path, **options), config, Precision.AUTO)


def test_a_broken_graph_is_an_inference_error(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    (folder / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(InferenceError, match=r"cannot load model\.onnx"):
        Loader().load(folder, E5, Precision.AUTO)


def test_a_folder_needs_exactly_one_graph(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    shutil.copy(folder / "model.onnx", folder / "other.onnx")
    with pytest.raises(InferenceError, match=r"exactly one \.onnx file"):
        Loader().load(folder, E5, Precision.AUTO)


def test_the_cache_gives_the_same_vectors_and_mends_itself(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "packages" / ("0a" * 32))
    loader = Loader(cache_dir=tmp_path / "cache")
    first = loader.load(folder, E5, Precision.AUTO).encode(TEXTS).matrix()
    kept = tmp_path / "cache" / folder.name
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".npz", ".xml", ".bin", ".txt"}
    assert np.array_equal(loader.load(folder, E5, Precision.AUTO).encode(TEXTS).matrix(), first)
    for path in files:
        if path.suffix in (".npz", ".xml"):
            path.write_bytes(b"damaged")
    assert np.array_equal(loader.load(folder, E5, Precision.AUTO).encode(TEXTS).matrix(), first)


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "packages" / ("0a" * 32))
    (tmp_path / "cache").write_text("a file where the folder should be")
    Loader(cache_dir=tmp_path / "cache").load(folder, E5, Precision.AUTO).close()


def test_the_cache_forgets_packages_that_are_gone_everywhere(tmp_path: Path) -> None:
    loader = Loader(cache_dir=tmp_path / "cache")
    digests = ["0a" * 32, "0b" * 32]
    server, library = (tiny_folder(tmp_path / root / digests[0]) for root in ("server", "library"))
    other = tiny_folder(tmp_path / "server" / digests[1])
    for folder in (server, library, other):
        loader.load(folder, E5, Precision.AUTO).close()
    shutil.rmtree(server)
    loader.load(other, E5, Precision.AUTO).close()
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == digests
    shutil.rmtree(library)
    loader.load(other, E5, Precision.AUTO).close()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == digests[1:]
