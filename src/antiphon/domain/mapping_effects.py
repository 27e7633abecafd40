"""What the options of a new field ask for: nonsense, and what would find other documents, is refused when it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from antiphon.domain.field import Family, Field, FieldType
from antiphon.domain.mapping_parameters import flag
from antiphon.domain.numbers import to_boolean, to_real, to_whole
from antiphon.domain.processors.read_chunking import read_steps
from antiphon.errors import AntiphonError, IllegalArgument, MapperParsing

_VECTORS = (
    "no", "yes", "with_positions", "with_offsets", "with_positions_offsets", "with_positions_payloads",
    "with_positions_offsets_payloads",
)  # fmt: skip
_OF_TEXT: Mapping[str, tuple[str, ...]] = {
    "index_options": ("positions", "docs", "freqs", "offsets"), "term_vector": _VECTORS,
}  # fmt: skip
_OF_KEYWORD: Mapping[str, tuple[str, ...]] = {"index_options": ("docs", "freqs")}


def check_effects(fields: Iterable[Field], body: Mapping[str, Any]) -> None:
    """MapperParsing for a value that no option has; IllegalArgument for one that is not supported here.

    ``body`` has the dynamic templates. What is kept already is not asked again: an index once made can be opened.
    """
    for template in body.get("dynamic_templates", ()):
        for name, rule in template.items():
            if not {"match", "path_match", "match_mapping_type"} & rule.keys():
                raise MapperParsing(f"template [{name}] must have match, path_match or match_mapping_type set")
    for field in fields:
        name, options = field.path.rpartition(".")[2], field.options
        flag(name, options, "store", False)
        if field.family is Family.TEXT:
            _check_choices(options, _OF_TEXT)
            _check_similarity(name, options)
            if (gap := options.get("position_increment_gap", 100)) not in (100, "100"):
                raise IllegalArgument(
                    f"[position_increment_gap: {gap}] is not supported by Antiphon: leave it out, texts of an array "
                    "are 100 words apart"
                )
        elif field.type is FieldType.KEYWORD:
            _check_choices(options, _OF_KEYWORD)
            _check_similarity(name, options)
            if flag(name, options, "split_queries_on_whitespace", False):
                raise IllegalArgument(
                    "[split_queries_on_whitespace: true] is not supported by Antiphon: use a text field whose analyzer "
                    "is [whitespace]"
                )
        _check_values(name, field)


def _check_values(name: str, field: Field) -> None:
    try:
        if field.type is FieldType.SEMANTIC:
            _check_semantic(name, field.options)
        if field.options.get("null_value") is not None:
            _check_null(field.type, field.options["null_value"])
    except AntiphonError as error:
        raise MapperParsing(f"Failed to parse mapping [_doc]: {error.reason}", cause=error) from error


def _check_choices(options: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]]) -> None:
    for key, words in choices.items():
        value = options.get(key)
        if value is not None and value not in words:
            shown = str(value).lower() if isinstance(value, bool) else value
            raise MapperParsing(f"Unknown value [{shown}] for field [{key}] - accepted values are [{', '.join(words)}]")


def _check_similarity(name: str, options: Mapping[str, Any]) -> None:
    value = options.get("similarity")
    if value == "boolean":
        raise IllegalArgument(
            "[similarity: boolean] is not supported by Antiphon: put the query into a [constant_score]"
        )
    if value not in (None, "BM25"):
        raise MapperParsing(f"Unknown Similarity type [{value}] for field [{name}]")


def _check_null(kind: FieldType, value: Any) -> None:
    """A date or an address is looked at when it is needed, as in OpenSearch."""
    match kind:
        case FieldType.BYTE | FieldType.SHORT | FieldType.INTEGER | FieldType.LONG | FieldType.UNSIGNED_LONG:
            if isinstance(value, float) and value != int(value):
                raise IllegalArgument(f"Value [{value}] has a decimal part")
            to_whole(kind, value)
        case FieldType.FLOAT | FieldType.DOUBLE | FieldType.HALF_FLOAT | FieldType.SCALED_FLOAT:
            to_real(kind, value)
        case FieldType.BOOLEAN:
            to_boolean(value)
        case _:
            return


def _check_semantic(name: str, options: Mapping[str, Any]) -> None:
    flag(name, options, "skip_existing_embedding", False)
    read_steps(name, options.get("chunking", False))
    if options.get("search_model_id") == "":
        raise IllegalArgument(f"search_model_id can not be empty string in semantic field {name}")
