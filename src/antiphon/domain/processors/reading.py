"""Reads ingest pipelines as they are put and stored: one table from a processor's name to its reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from antiphon.domain.embedding_fields import read_field_map
from antiphon.domain.ingest_document import java_type
from antiphon.domain.mustache import read_template, read_value_template
from antiphon.domain.pipeline import Change, Condition, Pipeline, Processor, Work
from antiphon.domain.processors.config import Config
from antiphon.domain.processors.control import Drop, Fail, Foreach, RunPipeline, Script
from antiphon.domain.processors.dates import OUTPUT_FORMAT, Date, check_formats
from antiphon.domain.processors.embedding import TextEmbedding
from antiphon.domain.processors.fields import Append, Copy, Remove, Rename, Set
from antiphon.domain.processors.read_chunking import read_text_chunking
from antiphon.domain.processors.text import EachText, Join, Split, strip_html, trim
from antiphon.domain.processors.values import CONVERSIONS, Convert, Json
from antiphon.domain.regular_expression import RegularExpression
from antiphon.domain.script_parser import parse_condition
from antiphon.domain.update_script import script_of
from antiphon.errors import AntiphonError, IllegalArgument, ParseError

_DENSE = "models here are dense text models: use [text_embedding]"
_CLIENT = "do it before sending the document"
REFUSED = {
    "sparse_encoding": _DENSE,
    "text_image_embedding": _DENSE,
    "ml_inference": _DENSE,
    **dict.fromkeys(
        ("remove_by_pattern", "sort", "kv", "dot_expander", "date_index_name", "urldecode", "bytes", "csv", "dissect",
         "grok", "user_agent", "geoip", "ip2geo", "community_id", "fingerprint", "attachment"),
        _CLIENT,
    ),
}  # fmt: skip
"""Processors of OpenSearch that are not here, and what to do instead."""

_GROUP = re.compile(r"\\(.)|\$(\d)|\$\{(\w+)\}|(\\)", re.DOTALL)
_MAX_DEPTH = 50


def read_pipeline(pipeline_id: str, body: object) -> Pipeline:
    """Return the pipeline; ParseError or IllegalArgument in OpenSearch's words, naming the processor."""
    if not isinstance(body, Mapping):
        raise ParseError(f"a pipeline must be a JSON object, but [{pipeline_id}] is a [{java_type(body)}]")
    left = dict(body)
    description, version = left.pop("description", None), left.pop("version", None)
    left.pop("_meta", None)
    if description is not None and not isinstance(description, str):
        raise ParseError(
            f"[description] property isn't a string, but of type [{java_type(description)}]",
            metadata={"property_name": "description"},
        )
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise ParseError(
            f"[version] property cannot be converted to an int [{version}]", metadata={"property_name": "version"}
        )
    if left.get("processors") is None:
        raise ParseError("[processors] required property is missing", metadata={"property_name": "processors"})
    processors = _read_list(left.pop("processors"), "processors", 0)
    on_failure = _read_list(left.pop("on_failure"), "on_failure", 0) if "on_failure" in left else None
    if on_failure == ():
        raise ParseError(f"pipeline [{pipeline_id}] cannot have an empty on_failure option defined")
    if left:
        raise ParseError(
            f"pipeline [{pipeline_id}] doesn't support one or more provided configuration parameters "
            f"[{', '.join(left)}]"
        )
    return Pipeline(pipeline_id, processors, on_failure or (), description, version)


def _read_list(body: object, key: str, depth: int) -> tuple[Processor, ...]:
    if not isinstance(body, list):
        raise ParseError(
            f"[{key}] property isn't a list, but of type [{java_type(body)}]", metadata={"property_name": key}
        )
    if depth > _MAX_DEPTH:
        raise ParseError(f"[{key}] processors are nested more than {_MAX_DEPTH} levels deep")
    found: list[Processor] = []
    for entry in body:
        if not isinstance(entry, Mapping):
            raise ParseError(
                f"[{key}] property isn't a list of objects, but has a [{java_type(entry)}]",
                metadata={"property_name": key},
            )
        found.extend(_read_processor(name, config, depth) for name, config in entry.items())
    return tuple(found)


def _read_processor(name: str, body: object, depth: int) -> Processor:
    if name == "script" and isinstance(body, str):
        body = {"source": body}
    if not isinstance(body, Mapping):
        raise ParseError(f"property isn't a map, but of type [{java_type(body)}]", metadata={"processor_type": name})
    config = Config(name, body)
    if name in REFUSED:
        raise IllegalArgument(
            f"[{name}] processor is not supported by Antiphon: {REFUSED[name]}", metadata=config.metadata()
        )
    if name not in _READERS and name != "foreach":
        raise ParseError(f"No processor type exists with name [{name}]", metadata=config.metadata())
    try:
        return _read_config(config, depth)
    except AntiphonError as error:
        error.metadata = {**config.metadata(), **error.metadata}
        raise


def _read_config(config: Config, depth: int) -> Processor:
    tag, description = config.text_or_none("tag"), config.text_or_none("description")
    ignore_failure = config.boolean("ignore_failure", default=False)
    condition = _read_condition(config)
    on_failure = None
    if config.has("on_failure"):
        on_failure = _read_list(config.raw("on_failure"), "on_failure", depth + 1)
        if not on_failure:
            raise config.error("on_failure", "processors list cannot be empty")
    name = config.processor
    work = _read_foreach(config, depth) if name == "foreach" else _READERS[name](config)
    config.end()
    return Processor(name, work, tag, description, condition, ignore_failure, on_failure or ())


def _read_condition(config: Config) -> Condition | None:
    value = config.raw("if")
    if isinstance(value, Mapping):
        value = value.get("source", value.get("inline"))
    if value is None:
        return None
    if not isinstance(value, str):
        raise config.error("if", f"property isn't a string, but of type [{java_type(value)}]")
    try:
        return Condition(value, parse_condition(value))
    except IllegalArgument as error:
        error.metadata = config.metadata("if")
        raise


def _read_foreach(config: Config, depth: int) -> Foreach:
    field = config.text("field")
    inner = config.mapping("processor")
    if len(inner) != 1:
        raise config.error("processor", "Must specify exactly one processor type")
    ignore_missing = config.boolean("ignore_missing", default=False)
    return Foreach(field, _read_list([inner], "processor", depth + 1)[0], ignore_missing)


def _text_embedding(config: Config) -> TextEmbedding:
    model_id = config.text("model_id")
    if not model_id.strip():
        raise IllegalArgument("model_id is null or empty, cannot process it")
    field_map = read_field_map(config.mapping("field_map"))
    if config.integer("batch_size", 1) < 1:
        raise config.error("batch_size", "batch size must be a positive integer")
    return TextEmbedding(model_id, field_map, config.boolean("skip_existing", default=False))


def _set(config: Config) -> Set:
    field, copy_from = config.template("field"), config.template_or_none("copy_from")
    config.raw("media_type")
    if copy_from is not None and config.has("value"):
        raise config.error("copy_from", "cannot set both `copy_from` and `value` in the same processor")
    value = None if copy_from is not None else read_value_template(config.required("value"))
    override = config.boolean("override", default=True)
    return Set(field, value, copy_from, override, config.boolean("ignore_empty_value", default=False))


def _rename(config: Config) -> Rename:
    missing = config.boolean("ignore_missing", default=False)
    override = config.boolean("override_target", default=False)
    return Rename(config.template("field"), config.template("target_field"), missing, override)


def _remove(config: Config) -> Remove:
    fields, exclude = config.text_or_texts("field"), config.text_or_texts("exclude_field")
    if not fields and not exclude:
        raise config.error("field", "required property is missing")
    if fields and exclude:
        raise config.error("field", "either field or exclude_field can be set")
    ignore_missing = config.boolean("ignore_missing", default=False)
    return Remove(tuple(map(read_template, fields)), tuple(map(read_template, exclude)), ignore_missing)


def _copy(config: Config) -> Copy:
    return Copy(
        config.template("source_field"),
        config.template("target_field"),
        config.boolean("override_target", default=False),
        config.boolean("remove_source", default=False),
        config.boolean("ignore_missing", default=False),
    )


def _append(config: Config) -> Append:
    value = read_value_template(config.required("value"))
    return Append(config.template("field"), value, config.boolean("allow_duplicates", default=True))


def _convert(config: Config) -> Convert:
    field, name = config.text("field"), config.text("type").lower()
    if name not in CONVERSIONS:
        raise config.error("type", f"type [{name}] not supported, cannot convert field.")
    ignore_missing = config.boolean("ignore_missing", default=False)
    return Convert(field, config.text("target_field", field), name, ignore_missing)


def _each_text(function: Callable[[str], Any]) -> Callable[[Config], EachText]:
    def read(config: Config) -> EachText:
        field = config.text("field")
        missing = config.boolean("ignore_missing", default=False)
        return EachText(field, config.text("target_field", field), missing, function)

    return read


def _gsub(config: Config) -> EachText:
    pattern = config.pattern("pattern")
    text = config.text_or_none("replacement")
    if text is None:
        raise config.error("replacement", "required property is missing")
    replacement = _java_replacement(config, pattern, text)
    return _each_text(lambda text: pattern.sub(replacement, text))(config)


def _split(config: Config) -> Split:
    field = config.text("field")
    trailing = config.boolean("preserve_trailing", default=False)
    missing = config.boolean("ignore_missing", default=False)
    return Split(field, config.text("target_field", field), config.pattern("separator"), trailing, missing)


def _join(config: Config) -> Join:
    field, separator = config.text("field"), config.text_or_none("separator")
    if separator is None:
        raise config.error("separator", "required property is missing")
    return Join(field, config.text("target_field", field), separator)


def _json(config: Config) -> Json:
    field, target = config.text("field"), config.text_or_none("target_field")
    add_to_root = config.boolean("add_to_root", default=False)
    if add_to_root and target is not None:
        raise config.error("target_field", "Cannot set a target field while also setting `add_to_root` to true")
    return Json(field, target or field, add_to_root)


def _date(config: Config) -> Date:
    formats, output = config.texts("formats"), config.text("output_format", OUTPUT_FORMAT)
    check_formats((*formats, output) if formats else ())
    if config.has("locale"):
        raise IllegalArgument("[locale] of the date processor is not supported by Antiphon: dates are read in English")
    target = config.text("target_field", "@timestamp")
    return Date(config.text("field"), target, formats, config.template_or_none("timezone"), output)


def _run_pipeline(config: Config) -> RunPipeline:
    return RunPipeline(config.template("name"), config.boolean("ignore_missing_pipeline", default=False))


def _script(config: Config) -> Script:
    names = ("source", "inline", "lang", "params", "options", "id")
    return Script(script_of({name: config.raw(name) for name in names if config.has(name)}))


def _java_replacement(config: Config, pattern: RegularExpression, text: str) -> str:
    """Spell Java's ``$1`` and ``${name}`` for Python."""

    def spell(found: re.Match[str]) -> str:
        literal, number, name, _ = found.groups()
        if literal is not None:
            return "\\\\" if literal == "\\" else str(literal)
        group = number or name
        if not pattern.knows(group or ""):
            raise config.error("replacement", f"there is no group [{group}] in the pattern")
        return f"\\g<{group}>"

    return _GROUP.sub(spell, text)


_READERS: dict[str, Callable[[Config], Work | Change]] = {
    "text_embedding": _text_embedding,
    "text_chunking": read_text_chunking,
    "set": _set,
    "rename": _rename,
    "remove": _remove,
    "copy": _copy,
    "append": _append,
    "convert": _convert,
    "lowercase": _each_text(str.lower),
    "uppercase": _each_text(str.upper),
    "trim": _each_text(trim),
    "html_strip": _each_text(strip_html),
    "gsub": _gsub,
    "split": _split,
    "join": _join,
    "json": _json,
    "date": _date,
    "drop": lambda _: Drop(),
    "fail": lambda config: Fail(config.template("message")),
    "pipeline": _run_pipeline,
    "script": _script,
}
