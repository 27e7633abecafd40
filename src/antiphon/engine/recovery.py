"""The search structures at the start of a process: those on disk brought up to date, or derived anew."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import orjson

from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.derived import Derived
from antiphon.engine.documents import Documents
from antiphon.engine.lexicon import SlotsExhausted
from antiphon.engine.lexicons import SLOTS, Lexicons
from antiphon.engine.manifest import Manifest, Places, Unusable
from antiphon.engine.pieces import loaded

_LOG = logging.getLogger(__name__)
_NOTE = "manifest"
_TEXTS = "texts"


def opened(
    folder: Path, places: Places, documents: Documents, mapping: IndexMapping, analyzers: Analyzers, making: str
) -> tuple[Derived, bool]:
    """Return the structures, up to date with the documents, and whether they were on disk; warns when they should be.

    Whatever of them is missing, damaged or of another making has them derived anew.
    """
    shutil.rmtree(folder / "derived", ignore_errors=True)  # where they were before they outlived a process
    try:
        return _loaded(places, documents, mapping, analyzers, making), True
    except Unusable as error:
        if documents.last_seq >= 0:
            _LOG.warning("the search structures in [%s] are derived anew from the documents: %s", folder, error)
    derived = fresh(places, documents, mapping, analyzers, documents.last_seq)
    derived.view()  # commits the text that the manifest names
    save(derived, documents, making)
    places.sweep(derived.manifest(making))
    return derived, False


def fresh(
    places: Places | None, documents: Documents, mapping: IndexMapping, analyzers: Analyzers, until: int
) -> Derived:
    """Return new structures, derived up to operation ``until``."""
    slots = SLOTS
    while True:
        generation, folder = (0, None) if places is None else places.new_lexicons()
        lexicons = Lexicons.begin(folder, analyzers, slots)
        derived = Derived(places, documents, mapping, analyzers, lexicons, generation)
        try:
            derived.derive(until)
        except SlotsExhausted:
            derived.close()
            slots *= 2
        else:
            return derived


def save(derived: Derived, documents: Documents, making: str) -> None:
    """Make what is on disk what the next start finds; the text must have been committed."""
    documents.note(_NOTE, derived.manifest(making).dump())


def note_texts(derived: Derived, documents: Documents) -> None:
    """Remember at the end of a process that the lexicons hold everything, so that the next need not compare."""
    documents.note(_TEXTS, _texts(derived, documents))


def _texts(derived: Derived, documents: Documents) -> str:
    return orjson.dumps([documents.last_seq, derived.generation, derived.lexicons.stamps()]).decode()


def _loaded(places: Places, documents: Documents, mapping: IndexMapping, analyzers: Analyzers, making: str) -> Derived:
    text = documents.noted(_NOTE)
    if text is None:
        raise Unusable("there are none")
    manifest = Manifest.read(text, making)
    places.sweep(manifest)
    living = documents.living_seqs()
    pieces = [loaded(named, living, mapping, places) for named in manifest.segments]
    lexicons = Lexicons.load(places.lexicons(manifest.generation), analyzers)
    derived = Derived(
        places, documents, mapping, analyzers, lexicons, manifest.generation, pieces, manifest.until
    )  # fmt: skip
    try:
        if derived.documents != np.count_nonzero(living <= manifest.until):
            raise Unusable("some documents are missing from them")
        derived.take_columns(documents.last_seq)
        whole = documents.noted(_TEXTS) == _texts(derived, documents) and derived.has_as_many_texts
        if not whole and (lacking := derived.reconcile(lexicons)):
            _LOG.warning("the text index lacked [%d] documents, which were indexed again", lacking)
    except SlotsExhausted as error:
        derived.close()
        raise Unusable("there are more text fields than the text index has room for") from error
    except Unusable:
        derived.close()
        raise
    return derived
