"""``model_config`` from a model's own files, the known families and flags; each value with its origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from antiphon.domain.model import FrameworkType, Pooling
from antiphon.domain.package import Overrides, PackageManifest
from antiphon.errors import SourceError
from antiphon.package import build_package
from tests.support.tiny import tiny_folder

NORMALIZE = {"type": "sentence_transformers.models.Normalize"}
PIPELINE = [{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"}]


def derive(
    folder: Path,
    files: dict[str, Any] | None = None,
    overrides: Overrides = Overrides(),  # noqa: B008  frozen
    **options: Any,
) -> PackageManifest:
    """Build a package of a tiny model with these JSON files beside it."""
    tiny_folder(folder, **options)
    for name, document in (files or {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(document), encoding="utf-8")
    return build_package(str(folder), folder.parent / "built.zip", overrides=overrides).manifest


def test_without_any_settings_opensearch_s_defaults(tmp_path: Path) -> None:
    manifest = derive(tmp_path / "plain")
    config = manifest.config
    assert (config.model_type, config.embedding_dimension) == ("bert", 8)
    assert (config.pooling_mode, config.normalize_result) == (Pooling.MEAN, False)
    assert config.framework_type is FrameworkType.HUGGINGFACE_TRANSFORMERS
    assert not config.asymmetric
    assert config.additional_config == {"space_type": "cosinesimil"}
    assert "\n" not in (config.all_config or "")
    assert json.loads(config.all_config or "")["hidden_size"] == 8
    assert set(manifest.origins) == {
        "model_type", "embedding_dimension", "framework_type", "all_config", "space_type", "pooling_mode",
        "normalize_result", "query_prefix", "passage_prefix",
    }  # fmt: skip
    assert "mean is assumed" in manifest.notes[0]


@pytest.mark.parametrize(
    ("declared", "typed", "expected"),
    [
        ("bert", True, "bert"),
        ("albert", True, "albert"),
        ("xlm-roberta", True, "bert"),
        (None, True, "bert"),
        ("xlm-roberta", False, "xlm-roberta"),
        ("bert", False, "distilbert"),
        (None, False, "distilbert"),
    ],
)
def test_model_type_makes_opensearch_feed_what_the_graph_takes(
    tmp_path: Path, declared: str | None, typed: bool, expected: str
) -> None:
    manifest = derive(tmp_path / "m", {"config.json": {"model_type": declared}}, token_type_ids=typed)
    assert manifest.config.model_type == expected
    assert ("config.json" in manifest.origins["model_type"]) == (declared is not None)


def test_a_model_type_by_flag_that_does_not_fit_is_kept_and_said(tmp_path: Path) -> None:
    manifest = derive(tmp_path / "m", overrides=Overrides(model_type="roberta"))
    assert manifest.config.model_type == "roberta"
    assert any("[Input mismatch]" in note for note in manifest.notes)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, Pooling.CLS),
        ({"pooling_mode_mean_tokens": True}, Pooling.MEAN),
        ({"pooling_mode_max_tokens": True}, Pooling.MAX),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, Pooling.MEAN_SQRT_LEN),
        ({"pooling_mode_weightedmean_tokens": True}, Pooling.WEIGHTED_MEAN),
        ({"pooling_mode_lasttoken": True}, Pooling.LAST_TOKEN),
        ({"pooling_mode": "lasttoken"}, Pooling.LAST_TOKEN),
    ],
)
def test_pooling_of_sentence_transformers(tmp_path: Path, pooling: dict[str, Any], expected: Pooling) -> None:
    manifest = derive(tmp_path / "m", {"1_Pooling/config.json": pooling, "modules.json": PIPELINE})
    assert manifest.config.pooling_mode is expected
    assert manifest.origins["pooling_mode"] == "1_Pooling/config.json"
    assert manifest.config.framework_type is FrameworkType.SENTENCE_TRANSFORMERS


def test_two_poolings_at_once_are_refused_unless_a_flag_decides(tmp_path: Path) -> None:
    files = {"1_Pooling/config.json": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}}
    with pytest.raises(SourceError, match=r"\['CLS', 'MEAN'\] into one vector"):
        derive(tmp_path / "m", files)
    assert derive(tmp_path / "n", files, Overrides(pooling_mode="cls")).config.pooling_mode is Pooling.CLS
    with pytest.raises(SourceError, match=r"--pooling-mode says \[median\], must be one of \[mean, "):
        derive(tmp_path / "o", overrides=Overrides(pooling_mode="median"))


def test_a_pooled_first_output_is_not_normalised_again(tmp_path: Path) -> None:
    manifest = derive(tmp_path / "plain", {"modules.json": [*PIPELINE, NORMALIZE]}, outputs="2d")
    assert (manifest.config.pooling_mode, manifest.config.normalize_result) == (Pooling.NONE, False)
    assert "each of its numbers into 1 or -1" in manifest.origins["normalize_result"]


@pytest.mark.parametrize("outputs", ["2d", "both"])
def test_a_pooled_first_output_is_not_pooled_again(tmp_path: Path, outputs: str) -> None:
    manifest = derive(tmp_path / "m", outputs=outputs)
    assert manifest.config.pooling_mode is (Pooling.NONE if outputs == "2d" else Pooling.MEAN)
    assert manifest.config.embedding_dimension == 8


def test_a_normalize_module_counts_except_for_e5(tmp_path: Path) -> None:
    files = {"modules.json": [*PIPELINE, NORMALIZE]}
    assert derive(tmp_path / "bge-small-en-v1.5", files).config.normalize_result is True
    manifest = derive(tmp_path / "multilingual-e5-small", files)
    assert manifest.config.normalize_result is False
    assert "although modules.json has a Normalize module" in manifest.origins["normalize_result"]
    assert derive(tmp_path / "e5-small", files, Overrides(normalize_result=True)).config.normalize_result is True


def test_a_dense_module_that_the_graph_lacks_is_refused(tmp_path: Path) -> None:
    files = {"modules.json": [*PIPELINE, {"type": "sentence_transformers.models.Dense"}]}
    with pytest.raises(SourceError, match="Dense module after the transformer"):
        derive(tmp_path / "m", files)
    assert derive(tmp_path / "n", files, outputs="2d").config.pooling_mode is Pooling.NONE


@pytest.mark.parametrize(
    ("name", "prompts", "expected", "origin"),
    [
        ("e5-small", None, ("query: ", "passage: "), "known family E5"),
        ("e5-small", {"query": "", "document": ""}, ("query: ", "passage: "), "known family E5"),
        ("e5-small", {"query": "q: ", "document": "d: "}, ("q: ", "d: "), "config_sentence_transformers.json"),
        ("other", {"query": "q: "}, ("q: ", ""), "config_sentence_transformers.json"),
        ("other", {"passage": "p: "}, ("", "p: "), "config_sentence_transformers.json"),
        ("other", {"query": ""}, (None, None), "no known family"),
        ("bge-m3", None, (None, None), "known family BGE-M3"),
    ],
)
def test_prefixes(
    tmp_path: Path, name: str, prompts: dict[str, str] | None, expected: tuple[str | None, str | None], origin: str
) -> None:
    files = {"config_sentence_transformers.json": {"prompts": prompts}} if prompts is not None else {}
    manifest = derive(tmp_path / name, files)
    assert (manifest.config.query_prefix, manifest.config.passage_prefix) == expected
    assert origin in manifest.origins["query_prefix"]


def test_a_family_is_found_by_the_name_that_config_json_remembers(tmp_path: Path) -> None:
    manifest = derive(tmp_path / "export", {"config.json": {"_name_or_path": "intfloat/multilingual-e5-small"}})
    assert manifest.config.query_prefix == "query: "
    assert manifest.config.framework_type is FrameworkType.SENTENCE_TRANSFORMERS


def test_flags_win(tmp_path: Path) -> None:
    flags = Overrides("A name", "What it is", "Q ", "", "max", True, "bert", "l2")
    manifest = derive(tmp_path / "e5-small", overrides=flags)
    config = manifest.config
    assert (manifest.name, manifest.description) == ("A name", "What it is")
    assert (config.query_prefix, config.passage_prefix, config.pooling_mode) == ("Q ", "", Pooling.MAX)
    assert (config.normalize_result, config.additional_config) == (True, {"space_type": "l2"})
    flagged = {key for key, origin in manifest.origins.items() if origin == "flag"}
    assert flagged == {"query_prefix", "passage_prefix", "pooling_mode", "normalize_result", "model_type", "space_type"}


@pytest.mark.parametrize(("similarity", "space"), [("dot", "innerproduct"), ("euclidean", "l2"), (None, "cosinesimil")])
def test_space_type(tmp_path: Path, similarity: str | None, space: str) -> None:
    files = {
        "config_sentence_transformers.json": {"similarity_fn_name": similarity},
        "config.json": {"space_type": "a key that additional_config has too"},
    }
    config = derive(tmp_path / "m", files).config
    assert config.additional_config == {"space_type": space}
    assert config.all_config is None


def test_a_graph_without_a_fixed_width_needs_config_json(tmp_path: Path) -> None:
    import onnx

    folder = tiny_folder(tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_param = "hidden"
    onnx.save(model, folder / "model.onnx")
    manifest = build_package(str(folder), tmp_path / "m.zip").manifest
    assert (manifest.config.embedding_dimension, manifest.origins["embedding_dimension"]) == (8, "config.json")
    (folder / "config.json").unlink()
    with pytest.raises(SourceError, match="The dimension is unknown"):
        build_package(str(folder), tmp_path / "m.zip")


@pytest.mark.parametrize(
    ("config", "sentence", "in_file", "expected"),
    [
        ({"max_position_embeddings": 128}, {}, None, 128),
        ({"max_position_embeddings": 130, "model_type": "xlm-roberta", "pad_token_id": 1}, {}, None, 128),
        ({"max_position_embeddings": 512}, {"max_seq_length": 256}, None, 256),
        ({"max_position_embeddings": 512}, {"max_seq_length": 256}, 512, 256),
        ({"max_position_embeddings": 512}, {}, 64, 64),
        ({"max_position_embeddings": 8192}, {}, None, None),
        ({}, {}, 8192, 8192),
    ],
)
def test_texts_are_cut_where_the_model_ends(
    tmp_path: Path, config: dict[str, Any], sentence: dict[str, Any], in_file: int | None, expected: int | None
) -> None:
    import zipfile

    files = {"config.json": {"hidden_size": 8, **config}, "sentence_bert_config.json": sentence}
    manifest = derive(tmp_path / "m", files, truncation=in_file)
    with zipfile.ZipFile(tmp_path / "built.zip") as archive:
        truncation = json.loads(archive.read("tokenizer.json"))["truncation"]
    assert (truncation and truncation["max_length"]) == expected
    assert any("Texts are cut at" in note for note in manifest.notes) == (expected not in (in_file, None))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", "{", r"config\.json\] is not JSON"),
        ("modules.json", "{}", r"modules\.json\] is not a JSON array"),
        ("config.json", "[]", r"config\.json\] is not a JSON object"),
    ],
)
def test_damaged_settings_are_named(tmp_path: Path, name: str, content: str, reason: str) -> None:
    folder = tiny_folder(tmp_path / "m")
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=reason):
        build_package(str(folder), tmp_path / "m.zip")
