"""Every processor that needs no model: what becomes of a document, and what is said when it cannot be done."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.pipeline import Run, run_pipeline, unwrap
from antiphon.domain.processors.reading import REFUSED, read_pipeline
from antiphon.domain.update_script import Operation, parse_update_script, script_of
from antiphon.errors import AntiphonError, FailProcessor, IllegalArgument, ParseError, ScriptError

NO_LIMIT = {"token_limit": 0}


def run(processors: list[Any], source: dict[str, Any], **pipeline: Any) -> IngestDocument | None:
    """Run a pipeline that asks for no vectors; None when the document was dropped."""
    document = IngestDocument("i", source, id="1", ingest={"timestamp": "2024-01-01T00:00:00.000Z"})
    steps = run_pipeline(read_pipeline("p", {"processors": processors, **pipeline}), document, Run(lambda _: None))
    try:
        next(steps)
    except StopIteration as stop:
        return document if stop.value else None
    except AntiphonError as error:
        raise unwrap(error) from None
    raise AssertionError("the pipeline asked for vectors")


def source_after(processors: list[Any], source: dict[str, Any], **pipeline: Any) -> dict[str, Any]:
    document = run(processors, source, **pipeline)
    assert document is not None
    return document.source


@pytest.mark.parametrize(
    ("processor", "before", "after"),
    [
        (
            {"set": {"field": "a.b", "value": "{{x}}-{{{y}}}"}},
            {"x": 1, "y": '"'},
            {"x": 1, "y": '"', "a": {"b": '1-"'}},
        ),
        ({"set": {"field": "a", "value": "{{y}}"}}, {"y": '"'}, {"y": '"', "a": '\\"'}),
        ({"set": {"field": "t", "value": "{{_ingest.timestamp}}"}}, {}, {"t": "2024-01-01T00:00:00.000Z"}),
        ({"set": {"field": "a", "copy_from": "b"}}, {"b": [1]}, {"a": [1], "b": [1]}),
        ({"set": {"field": "a", "value": 2, "override": False}}, {"a": 1}, {"a": 1}),
        ({"set": {"field": "a", "value": "{{no}}", "ignore_empty_value": True}}, {"b": 1}, {"b": 1}),
        ({"rename": {"field": "a", "target_field": "b.c"}}, {"a": 1}, {"b": {"c": 1}}),
        ({"rename": {"field": "a", "target_field": "b", "ignore_missing": True}}, {}, {}),
        ({"remove": {"field": ["a", "b.c"]}}, {"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2}}),
        ({"remove": {"exclude_field": "b.c"}}, {"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1}}),
        ({"copy": {"source_field": "a", "target_field": "b", "remove_source": True}}, {"a": 1}, {"b": 1}),
        ({"append": {"field": "a", "value": ["x", "y"], "allow_duplicates": False}}, {"a": "x"}, {"a": ["x", "y"]}),
        ({"convert": {"field": "a", "type": "integer"}}, {"a": ["1", "0x10"]}, {"a": [1, 16]}),
        ({"convert": {"field": "a", "type": "auto", "target_field": "b"}}, {"a": "1.5"}, {"a": "1.5", "b": 1.5}),
        ({"convert": {"field": "a", "type": "boolean"}}, {"a": "TRUE"}, {"a": True}),
        ({"convert": {"field": "a", "type": "ip"}}, {"a": "::1"}, {"a": "::1"}),
        ({"lowercase": {"field": "a"}}, {"a": "AbC"}, {"a": "abc"}),
        ({"uppercase": {"field": "a", "ignore_missing": True}}, {}, {}),
        ({"trim": {"field": "a"}}, {"a": " x\n"}, {"a": "x"}),
        ({"html_strip": {"field": "a"}}, {"a": "<p>a &amp; <b>b</b></p>"}, {"a": "\na & b\n"}),
        ({"split": {"field": "a", "separator": r"\s*,\s*"}}, {"a": "x , y,,"}, {"a": ["x", "y"]}),
        ({"join": {"field": "a", "separator": "-"}}, {"a": [1, True, "x"]}, {"a": "1-true-x"}),
        ({"gsub": {"field": "a", "pattern": r"(\w)\.", "replacement": "$1-"}}, {"a": "a.b."}, {"a": "a-b-"}),
        ({"json": {"field": "a", "add_to_root": True}}, {"a": '{"b": 1}'}, {"a": '{"b": 1}', "b": 1}),
        (
            {"foreach": {"field": "a", "processor": {"uppercase": {"field": "_ingest._value"}}}},
            {"a": ["x"]},
            {"a": ["X"]},
        ),
        ({"script": {"source": "ctx.b = ctx.a + params.n", "params": {"n": 1}}}, {"a": 1}, {"a": 1, "b": 2}),
        ({"script": "ctx.remove('a')"}, {"a": 1}, {}),
        ({"set": {"field": "a", "value": 1, "if": "ctx.b == null && !ctx.containsKey('c')"}}, {"c": 1}, {"c": 1}),
        ({"set": {"field": "a", "value": 1, "if": "ctx?.b?.c == 'x' || ctx.d != null"}}, {"d": 1}, {"d": 1, "a": 1}),
        ({"fail": {"message": "no", "ignore_failure": True}}, {}, {}),
        (
            {"date": {"field": "a", "formats": ["dd/MM/yyyy", "ISO8601"], "output_format": "yyyy-MM-dd"}},
            {"a": "2024-05-06T07:08:09Z"},
            {"a": "2024-05-06T07:08:09Z", "@timestamp": "2024-05-06"},
        ),
        (
            {"date": {"field": "a", "formats": ["UNIX"], "target_field": "a"}},
            {"a": 0},
            {"a": "1970-01-01T00:00:00.000Z"},
        ),
        (
            {"text_chunking": {"field_map": {"b": "c"}, "algorithm": {"delimiter": {"delimiter": "."}}}},
            {"b": ["a.b", "c"]},
            {"b": ["a.b", "c"], "c": ["a.", "b", "c"]},
        ),
        ({"text_chunking": {"field_map": {"b": "c"}}}, {}, {"c": []}),
        ({"text_chunking": {"field_map": {"b": "c"}, "ignore_missing": True}}, {}, {}),
        (
            {"text_chunking": {"field_map": {"a": {"b": "c"}}, "algorithm": {}}},
            {"a": [{"b": "x"}, {"b": "y"}]},
            {"a": [{"b": "x", "c": ["x"]}, {"b": "y", "c": ["y"]}]},
        ),
    ],
)
def test_what_becomes_of_a_document(processor: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    assert source_after([processor], before) == after


@pytest.mark.parametrize(
    ("processor", "source", "reason"),
    [
        ({"rename": {"field": "x", "target_field": "y"}}, {}, "field [x] doesn't exist"),
        ({"rename": {"field": "x", "target_field": "y"}}, {"x": 1, "y": 1}, "field [y] already exists"),
        ({"remove": {"field": "x"}}, {}, "field [x] doesn't exist"),
        ({"copy": {"source_field": "x", "target_field": "y"}}, {"x": 1, "y": 1}, "target field [y] already exists"),
        ({"convert": {"field": "x", "type": "integer"}}, {"x": "abc"}, "unable to convert [abc] to integer"),
        (
            {"lowercase": {"field": "f"}},
            {"f": 1},
            "field [f] of type [java.lang.Integer] cannot be cast to [java.lang.String]",
        ),
        ({"trim": {"field": "a.b"}}, {"a": {}}, "field [b] not present as part of path [a.b]"),
        ({"fail": {"message": "bad {{x}}"}}, {"x": 1}, "bad 1"),
        ({"pipeline": {"name": "q"}}, {}, "Pipeline processor configured for non-existent pipeline [q]"),
        ({"date": {"field": "a", "formats": ["yyyy"]}}, {"a": "x"}, "unable to parse date [x]"),
        (
            {"text_chunking": {"field_map": {"a": "b"}}},
            {"a": 1},
            "map type field [a] is neither string nor nested type, cannot process it",
        ),
    ],
)
def test_what_is_said_of_a_document_that_does_not_fit(
    processor: dict[str, Any], source: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AntiphonError) as caught:
        run([processor], source)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("body", "kind", "reason", "metadata"),
    [
        ({}, ParseError, "[processors] required property is missing", {"property_name": "processors"}),
        (
            {"processors": [{"foo": {}}]},
            ParseError,
            "No processor type exists with name [foo]",
            {"processor_type": "foo"},
        ),
        (
            {"processors": [{"text_embedding": {"model_id": "m", "field_map": {"a": "b"}, "foo": 1, "tag": "t"}}]},
            ParseError,
            "processor [text_embedding] doesn't support one or more provided configuration parameters [foo]",
            {"processor_type": "text_embedding", "processor_tag": "t"},
        ),
        (
            {"processors": [{"text_embedding": {"field_map": {"a": "b"}}}]},
            ParseError,
            "[model_id] required property is missing",
            {"processor_type": "text_embedding", "property_name": "model_id"},
        ),
        (
            {"processors": [{"set": {"field": 1, "value": 1}}]},
            ParseError,
            "[field] property isn't a string, but of type [java.lang.Integer]",
            {"processor_type": "set", "property_name": "field"},
        ),
        (
            {"processors": [{"text_embedding": {"model_id": " ", "field_map": {"a": "b"}}}]},
            IllegalArgument,
            "model_id is null or empty, cannot process it",
            {"processor_type": "text_embedding"},
        ),
        (
            {"processors": [{"text_embedding": {"model_id": "m", "field_map": {"a": " "}}}]},
            IllegalArgument,
            "Unable to create the processor as field_map has invalid key or value",
            {"processor_type": "text_embedding"},
        ),
        (
            {"processors": [{"text_chunking": {"field_map": {"a": "b"}, "algorithm": {"delimiter": {}, "x": {}}}}]},
            IllegalArgument,
            "Unable to create text_chunking processor as [algorithm] contains multiple algorithms",
            {"processor_type": "text_chunking"},
        ),
        (
            {
                "processors": [
                    {
                        "text_chunking": {
                            "field_map": {"a": "b"},
                            "algorithm": {"fixed_token_length": {"token_limit": 0}},
                        }
                    }
                ]
            },
            IllegalArgument,
            "Parameter [token_limit] must be positive.",
            {"processor_type": "text_chunking"},
        ),
    ],
)
def test_what_is_said_of_a_pipeline_that_cannot_be_read(
    body: dict[str, Any], kind: type[AntiphonError], reason: str, metadata: dict[str, str]
) -> None:
    with pytest.raises(kind) as caught:
        read_pipeline("p", body)
    assert (caught.value.reason, caught.value.metadata) == (reason, metadata)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_here_is_refused_by_name(name: str) -> None:
    with pytest.raises(IllegalArgument, match=rf"\[{name}\] processor is not supported by Antiphon"):
        read_pipeline("p", {"processors": [{name: {}}]})


@pytest.mark.parametrize("condition", ["ctx.a.matches('x')", "new Date()", "ctx.a ==", "doc['a'].value > 1"])
def test_conditions_beyond_the_grammar_are_refused_at_once(condition: str) -> None:
    with pytest.raises(IllegalArgument, match=r"\[if\] condition .* is not supported by Antiphon") as caught:
        read_pipeline("p", {"processors": [{"drop": {"if": condition}}]})
    assert caught.value.metadata == {"processor_type": "drop", "property_name": "if"}


def test_a_dropped_document_is_no_error() -> None:
    assert run([{"drop": {"if": "ctx.a == 1"}}, {"fail": {"message": "x"}}], {"a": 1}) is None


def test_a_failing_processor_hands_over_to_its_own_on_failure_then_to_the_pipelines() -> None:
    told = {"set": {"field": "e", "value": "{{_ingest.on_failure_message}} {{_ingest.on_failure_processor_type}}"}}
    failing = {"fail": {"message": "no", "on_failure": [told]}}
    assert source_after([failing, {"set": {"field": "b", "value": 1}}], {}) == {"e": "no fail", "b": 1}
    after = [{"fail": {"message": "no"}}, {"set": {"field": "b", "value": 1}}]
    assert source_after(after, {}, on_failure=[told]) == {"e": "no fail"}
    with pytest.raises(FailProcessor, match="again"):
        run([{"fail": {"message": "no"}}], {}, on_failure=[{"fail": {"message": "again"}}])


def test_metadata_can_be_changed() -> None:
    changed = run([{"set": {"field": "_index", "value": "{{a}}"}}, {"script": "ctx._routing = 'r'"}], {"a": "other"})
    assert changed is not None
    assert (changed.index, changed.id, changed.routing, changed.source) == ("other", "1", "r", {"a": "other"})


@pytest.mark.parametrize(
    ("script", "params", "before", "after"),
    [
        ("ctx._source.a = params.a;ctx._source['b'] = 'x'", {"a": 1}, {}, {"a": 1, "b": "x"}),
        ("ctx._source.n += params.by", {"by": 2}, {"n": 1}, {"n": 3}),
        ("ctx._source.n++", {}, {"n": 1}, {"n": 2}),
        ("ctx._source.remove('x')", {}, {"x": 1, "y": 2}, {"y": 2}),
        ("ctx._source.a.b = 1 // nested", {}, {"a": {}}, {"a": {"b": 1}}),
        ("ctx._source.tags.add(params.tag)", {"tag": "t"}, {"tags": []}, {"tags": ["t"]}),
        (
            "for (entry in params.entrySet()) { ctx._source[entry.getKey()] = entry.getValue() }",
            {"a": 1, "b": [2]},
            {"a": 0},
            {"a": 1, "b": [2]},
        ),
        (
            "for (Map.Entry e : params.entrySet()) {\n  ctx._source[e.key] = e.value;\n}",
            {"a": 1},
            {},
            {"a": 1},
        ),
        ("if (ctx._source.a == null) { ctx._source.a = 7 / 2 } else { ctx.op = 'noop' }", {}, {}, {"a": 3}),
        ('ctx._source.a = \'it\\\'s\' + " \\"q\\""', {}, {}, {"a": 'it\'s "q"'}),
    ],
)
def test_update_scripts(script: str, params: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    scripted = script_of({"source": script, "lang": "painless", "params": params}).run(before, {"_id": "1"})
    assert (scripted.operation, scripted.source) == (Operation.INDEX, after)


@pytest.mark.parametrize(("word", "operation"), [("noop", "noop"), ("none", "noop"), ("delete", "delete")])
def test_a_script_decides_what_is_done(word: str, operation: str) -> None:
    assert parse_update_script(f"ctx.op = '{word}'").run({"a": 1}, {}).operation == operation


@pytest.mark.parametrize(
    "source", ["def x = 1; ctx._source.a = x", "System.exit(0)", "ctx._source.a", "a" * 10, "(" * 500]
)
def test_other_scripts_are_refused_with_what_is_understood(source: str) -> None:
    with pytest.raises(ScriptError, match="compile error") as caught:
        parse_update_script(source)
    assert caught.value.cause is not None
    assert "is not supported by Antiphon" in caught.value.cause.reason


def test_a_script_that_does_not_fit_leaves_the_source_alone() -> None:
    source = {"a": {"b": 1}}
    with pytest.raises(ScriptError, match="runtime error"):
        parse_update_script("ctx._source.a.b = 2; ctx._source.x.y = 1").run(source, {})
    assert source == {"a": {"b": 1}}
