"""Register bodies: what is required, what is refused by name, and that rendering reads back."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.model import FrameworkType, ModelConfig, Pooling
from antiphon.domain.package import BuiltPackage, PackageManifest
from antiphon.errors import AntiphonError, IllegalArgument, ParseError, ValidationError
from antiphon.wire.model import read_meta, read_registration, render_registration
from antiphon.wire.model_config import read_config, render_config

CONFIG = {"model_type": "bert", "embedding_dimension": 384, "framework_type": "sentence_transformers"}
BODY: dict[str, Any] = {
    "name": "e5", "version": 1, "function_name": "text_embedding", "model_format": "onnx", "model_config": CONFIG,
    "url": "http://localhost/e5.zip", "model_content_hash_value": "ab",
}  # fmt: skip

texts = st.none() | st.text(max_size=8)
configs = st.builds(
    ModelConfig,
    model_type=st.text(min_size=1, max_size=6),
    embedding_dimension=st.integers(1, 4096),
    framework_type=st.sampled_from(FrameworkType),
    all_config=st.none() | st.just('{"a": 1}'),
    additional_config=st.none() | st.just({"space_type": "l2"}),
    model_max_length=st.none() | st.integers(1, 512),
    pooling_mode=st.none() | st.sampled_from(Pooling),
    normalize_result=st.booleans(),
    query_prefix=texts,
    passage_prefix=texts,
)


@given(configs)
def test_a_rendered_config_reads_back(config: ModelConfig) -> None:
    assert read_config(render_config(config), explicit=True) == config


@given(configs)
def test_the_body_that_build_prints_is_accepted(config: ModelConfig) -> None:
    package = BuiltPackage(Path("e5.zip"), 70_000_000, "ab" * 32, PackageManifest("e5", "the model", config))
    registration, notices = read_registration(render_registration(package, "http://x/e5.zip"))
    assert notices == []
    assert registration.model_config == config
    assert registration.model_content_hash_value == package.sha256


def without(key: str, **extra: Any) -> dict[str, Any]:
    return {name: value for name, value in BODY.items() if name != key} | extra


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (without("name"), "model name is null"),
        (without("model_format"), "model format is null"),
        (without("model_config"), "model config is null"),
        (BODY | {"function_name": "nonsense"}, "Wrong function name"),
        (BODY | {"function_name": "REMOTE"}, "REMOTE is not supported"),
        (BODY | {"function_name": "sparse_encoding"}, "SPARSE_ENCODING is not supported"),
        (BODY | {"model_format": "gguf"}, "Wrong model format"),
        (BODY | {"model_format": "torch_script"}, "TORCH_SCRIPT is not supported"),
        (BODY | {"connector_id": "c"}, "[connector_id] is not supported"),
        (BODY | {"model_config": CONFIG | {"query_prefx": "q"}}, "[query_prefx]"),
        (BODY | {"model_config": {"model_type": "bert"}}, "embedding dimension is null"),
        (BODY | {"model_config": {"embedding_dimension": 3}}, "model type is null"),
        (BODY | {"model_config": CONFIG | {"pooling_mode": "average"}}, "Wrong pooling method"),
        (BODY | {"model_config": CONFIG | {"framework_type": "keras"}}, "Wrong framework type"),
        (
            BODY
            | {"model_config": CONFIG | {"all_config": '{"space_type": 1}', "additional_config": {"space_type": "l2"}}},
            "Duplicate keys found in both all_config and additional_config: space_type",
        ),
        (BODY | {"rate_limiter": {"limit": 1}}, "needs both [limit] and [unit]"),
        (BODY | {"rate_limiter": {"limit": 1, "unit": "FORTNIGHTS"}}, "FORTNIGHTS"),
        (BODY | {"backend_roles": ["x"]}, "Security plugin or model access control is disabled"),
        (BODY | {"model_id": "_x"}, "model id must not start with '_'"),
    ],
)
def test_refused_by_name(body: dict[str, Any], says: str) -> None:
    with pytest.raises(IllegalArgument) as caught:
        read_registration(body)
    assert says in caught.value.reason


@pytest.mark.parametrize("limit", [-1, "-0.5", "lots", "inf", "nan"])
def test_a_limit_that_limits_nothing(limit: object) -> None:
    with pytest.raises(ParseError, match="Limit field must be a positive number"):
        read_registration(BODY | {"rate_limiter": {"limit": limit, "unit": "MINUTES"}})


@pytest.mark.parametrize("name", ["", "  ", "a#b"])
def test_bad_names(name: str) -> None:
    with pytest.raises(ValidationError, match="Validation Failed: 1: Model name"):
        read_registration(BODY | {"name": name})


def test_what_py_ml_sends_is_accepted_without_notice() -> None:
    extra = {"model_task_type": "x", "created_time": 1, "access_mode": "private", "add_all_backend_roles": False}
    _, notices = read_registration(BODY | extra | {"model_group_id": ""})
    assert notices == []


def test_an_unknown_field_is_noticed() -> None:
    assert read_registration(BODY | {"descripton": "x"})[1] == [
        "ignored the unknown field [descripton] in [model registration]"
    ]


def test_without_function_name_the_config_may_be_short() -> None:
    registration, _ = read_registration(without("function_name", model_config={"model_type": "bert"}))
    assert registration.model_config == ModelConfig("bert")


def test_meta_reads_enums_strictly_and_needs_hash_and_chunks() -> None:
    meta = without("url", model_format="ONNX", total_chunks="3")
    assert read_meta(meta)[0].total_chunks == 3
    for body in (meta | {"model_format": "onnx"}, meta | {"total_chunks": 0}):
        with pytest.raises(AntiphonError):
            read_meta(body)
    with pytest.raises(IllegalArgument, match="total chunks field is null"):
        read_meta(without("url", model_format="ONNX"))
    with pytest.raises(IllegalArgument, match="model content hash value is null"):
        read_meta({key: value for key, value in meta.items() if key != "model_content_hash_value"})
