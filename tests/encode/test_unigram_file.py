"""Which tokenizer.json is read by ourselves, which is left to the library, and that both answer the same."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from antiphon.domain.model import ModelConfig
from antiphon.encode.tokenize import TextTokenizer
from antiphon.encode.unigram_file import read_unigram
from antiphon.errors import IllegalArgument, InferenceError

Document = dict[str, Any]
CONFIG = ModelConfig("bert")
METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
REPLACE = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}
TEXTS = [
    "", " ", "how do I  read a\tmap", " a\u2581b \u3000c", "\u6771\u4eac \uff34\uff4f\uff4b\uff59\uff4f",
    "\u1234\u1234x", "x<mask> </s>y", "\uff1cs\uff1e", "a\r\n\x1fb" * 200,
]  # fmt: skip


@pytest.fixture(scope="module")
def small(e5_tokenizer: Path) -> Document:
    """The real file with its first 3,000 pieces."""
    document: Document = json.loads((e5_tokenizer / "tokenizer.json").read_bytes())
    document["model"]["vocab"] = [*document["model"]["vocab"][:3000], ["<mask>", 0.0]]
    document["added_tokens"][-1]["id"] = 3000
    return document


def _written(folder: Path, document: Document, *, indent: int | None = None) -> Path:
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(document, indent=indent), encoding="utf-8")
    return file


def _assert_equal(file: Path) -> None:
    """Ids, types and what the limit takes are those of the library's tokenizer, which must not be shared with ours."""
    ours = TextTokenizer.load(file.parent, CONFIG)
    theirs = TextTokenizer(Tokenizer.from_file(str(file)), CONFIG)
    assert ours.max_tokens == theirs.max_tokens
    for one, other in zip(ours(TEXTS), theirs(TEXTS), strict=True):
        assert (one.ids.tolist(), one.type_ids.tolist(), one.lost) == (
            other.ids.tolist(),
            other.type_ids.tolist(),
            other.lost,
        )


KNOWN: dict[str, Callable[[Document], object]] = {
    "as it is": lambda document: None,
    "a limit": lambda document: document["truncation"].update(max_length=20),
    "no limit": lambda document: document.update(truncation=None),
    "metaspace alone": lambda document: document.update(pre_tokenizer=METASPACE),
    "the older spelling": lambda document: document.update(
        pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}
    ),
    "blanks replaced": lambda document: document.update(
        pre_tokenizer=METASPACE, normalizer={"type": "Sequence", "normalizers": [document["normalizer"], REPLACE]}
    ),
    "no byte_fallback named": lambda document: document["model"].pop("byte_fallback"),
    "whole numbers": lambda document: document["model"]["vocab"][10].__setitem__(1, -7),
}

UNKNOWN: dict[str, Callable[[Document], object]] = {
    "another model": lambda document: document.update(
        model={"type": "WordLevel", "vocab": {"<unk>": 3, "<s>": 0, "</s>": 2, "a": 1}, "unk_token": "<unk>"}
    ),
    "bytes for unknowns": lambda document: document["model"].update(byte_fallback=True),
    "a piece twice": lambda document: document["model"]["vocab"][10].__setitem__(0, ","),
    "a score above 0": lambda document: document["model"]["vocab"][10].__setitem__(1, 0.5),
    "another normalizer": lambda document: document.update(normalizer={"type": "NFKC"}),
    "no normalizer": lambda document: document.update(normalizer=None),
    "a blank in front of the first word only": lambda document: document.update(
        pre_tokenizer={**METASPACE, "prepend_scheme": "first"}
    ),
    "pieces across blanks": lambda document: document.update(pre_tokenizer={**METASPACE, "split": False}),
    "punctuation split off": lambda document: document["pre_tokenizer"]["pretokenizers"].insert(
        0, {"type": "Punctuation", "behavior": "Isolated"}
    ),
    "other types": lambda document: document["post_processor"]["single"][1]["Sequence"].update(type_id=1),
    "three special tokens": lambda document: document["post_processor"]["single"].append(
        {"SpecialToken": {"id": "</s>", "type_id": 0}}
    ),
    "an added token that is normalized": lambda document: document["added_tokens"][4].update(normalized=True),
}


@pytest.mark.parametrize("change", KNOWN.values(), ids=KNOWN)
def test_known_files_are_read_by_ourselves(
    small: Document, tmp_path: Path, change: Callable[[Document], object]
) -> None:
    document = copy.deepcopy(small)
    change(document)
    file = _written(tmp_path, document, indent=2)
    assert read_unigram(file, None) is not None
    _assert_equal(file)


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_other_files_are_left_to_the_library(
    small: Document, tmp_path: Path, change: Callable[[Document], object]
) -> None:
    document = copy.deepcopy(small)
    change(document)
    file = _written(tmp_path, document)
    assert read_unigram(file, None) is None
    _assert_equal(file)


def test_a_vocabulary_without_unknowns_is_left_to_the_library(small: Document, tmp_path: Path) -> None:
    document = copy.deepcopy(small)
    document["model"]["unk_id"] = None
    assert read_unigram(_written(tmp_path, document), None) is None


def test_scores_that_the_library_reads_one_bit_off(small: Document, tmp_path: Path) -> None:
    """In the file both ways of ``ab`` are equal, so that the longer last piece wins; in the library they are not."""
    document = copy.deepcopy(small)
    ways: list[list[Any]] = [
        ["\u2581a", -18.893409729003906],
        ["b", -1.0],
        ["\u2581", -9.5],
        ["ab", -10.393409729003906],
    ]
    document["model"]["vocab"] = [["<s>", 0], ["<pad>", 0], ["</s>", 0], ["<unk>", 0], *ways]
    document["added_tokens"].pop()
    file = _written(tmp_path, document)
    assert ways[0][1] + ways[1][1] == ways[2][1] + ways[3][1]
    theirs = Tokenizer.from_file(str(file)).encode("ab").ids
    assert theirs == [0, 4, 5, 2], "the library reads decimals exactly now: what asks it for them can go"
    assert TextTokenizer.load(tmp_path, CONFIG)(["ab"])[0].ids.tolist() == theirs


def test_a_text_with_a_special_token_has_the_whole_file_read_once(
    small: Document, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = TextTokenizer.load(_written(tmp_path, small).parent, CONFIG)
    caplog.set_level(logging.DEBUG, "antiphon")
    tokenizer(["a map"])
    assert not caplog.records
    tokenizer(["a <mask> map", "</s>"])
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "A text holds an added token as written"
    ]


def test_a_file_that_went_away_is_named_when_it_is_needed(small: Document, tmp_path: Path) -> None:
    file = _written(tmp_path, small)
    tokenizer = TextTokenizer.load(tmp_path, CONFIG)
    file.unlink()
    assert len(tokenizer(["a map"])) == 1
    with pytest.raises(InferenceError, match=r"Cannot read .*tokenizer\.json again"):
        tokenizer(["a <mask> map"])


def test_a_lone_surrogate_is_refused_by_position(small: Document, tmp_path: Path) -> None:
    tokenizer = TextTokenizer.load(_written(tmp_path, small).parent, CONFIG)
    with pytest.raises(IllegalArgument, match=r"Text \[1\] holds the lone surrogate '\\ud83d' at character 2"):
        tokenizer(["a", "b \ud83d"])


def test_models_of_one_file_share_its_vocabulary_and_not_their_limits(small: Document, tmp_path: Path) -> None:
    document = copy.deepcopy(small)
    document["truncation"]["max_length"] = 50
    file = _written(tmp_path, document)
    first, second = TextTokenizer.load(tmp_path, CONFIG), TextTokenizer.load(tmp_path, CONFIG)
    shorter = TextTokenizer.load(tmp_path, ModelConfig("bert", model_max_length=9))
    assert first._unigram is second._unigram is shorter._unigram is read_unigram(file, None)
    assert (first.max_tokens, second.max_tokens, shorter.max_tokens) == (50, 50, 9)
    assert [len(one(["a b " * 99])[0].ids) for one in (first, second, shorter)] == [50, 50, 9]


def test_the_next_start_reads_what_the_first_one_kept(
    small: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    file = _written(tmp_path, small)
    before = TextTokenizer.load(tmp_path, CONFIG, cache)(TEXTS)
    assert [kept.name.split("-")[0] for kept in cache.iterdir()] == ["unigram"]
    monkeypatch.setattr("antiphon.encode.unigram_file._parts", lambda content: pytest.fail("it is made again"))
    again = read_unigram(file, cache)
    assert again is not None
    after = TextTokenizer.load(tmp_path, CONFIG, cache)(TEXTS)
    assert [one.ids.tolist() for one in after] == [one.ids.tolist() for one in before]


@pytest.mark.parametrize("length", [0, 500])
def test_a_damaged_cache_is_made_again(small: Document, tmp_path: Path, length: int) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    file = _written(tmp_path, small)
    assert read_unigram(file, cache) is not None
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:length])
    assert read_unigram(file, cache) is not None
    _assert_equal(file)
