"""The nine rows of the asymmetric table, made strict."""

from typing import Any

import pytest

from antiphon.domain.model import ModelConfig
from antiphon.domain.prediction import ResultFilter, decide_role
from antiphon.domain.role import Role
from antiphon.errors import IllegalArgument, RoleError

E5 = ModelConfig("bert", query_prefix="query: ", passage_prefix="passage: ")
HALF = ModelConfig("bert", query_prefix="query: ")
PLAIN = ModelConfig("bert")


@pytest.mark.parametrize(
    ("config", "parameters", "role"),
    [
        (E5, {"content_type": "query"}, Role.QUERY),
        (E5, {"content_type": "PASSAGE"}, Role.PASSAGE),
        (HALF, {"content_type": "passage"}, Role.PASSAGE),
        (PLAIN, None, None),
    ],
)
def test_a_declared_role_is_taken(config: ModelConfig, parameters: dict[str, Any] | None, role: Role | None) -> None:
    assert decide_role("m", config, parameters) is role


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        (None, '"content_type": "query"'),
        ({}, '"content_type": "query"'),
        ({"content_type": None}, '"content_type": "query"'),
        ({"contnet_type": "query"}, "[contnet_type], did you mean [content_type]"),
        ({"content_type": "query", "other": 1}, "[other]"),
        ({"content_type": "query", "sparse_embedding_format": "word"}, "sparse models"),
    ],
)
def test_an_undeclared_role_is_400_and_says_what_to_send(parameters: dict[str, Any] | None, says: str) -> None:
    with pytest.raises(RoleError) as caught:
        decide_role("m1", E5, parameters)
    assert caught.value.status == 400
    assert caught.value.type == "m_l_exception"
    assert caught.value.reason.startswith("Failed to inference TEXT_EMBEDDING model: m1")
    assert says in caught.value.reason
    assert caught.value.cause is not None
    assert caught.value.cause.reason.startswith("The embedding model chosen is asymmetric. To use it, you must declare")


@pytest.mark.parametrize("value", ["answer", 3, ["query"]])
def test_a_content_type_that_is_no_role_is_refused(value: object) -> None:
    with pytest.raises(IllegalArgument, match="query"):
        decide_role("m", E5, {"content_type": value})


def test_a_symmetric_model_refuses_parameters() -> None:
    with pytest.raises(RoleError) as caught:
        decide_role("m", PLAIN, {})
    assert caught.value.cause is not None
    assert "requires to be registered with at least one of" in caught.value.cause.reason


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (ResultFilter(), True),
        (ResultFilter(target_response=("sentence_embedding",)), True),
        (ResultFilter(target_response=("other",)), False),
        (ResultFilter(target_response_positions=(0,)), True),
        (ResultFilter(target_response_positions=(1,)), False),
        (ResultFilter(target_response=("other",), target_response_positions=(0,)), True),
        (ResultFilter(target_response=(), target_response_positions=(1,)), False),
    ],
)
def test_names_and_positions_form_a_union(wanted: ResultFilter, kept: bool) -> None:
    assert wanted.keeps("sentence_embedding", 0) is kept
