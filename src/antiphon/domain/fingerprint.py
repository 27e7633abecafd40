"""What made the vectors of a field: two vectors are comparable only when their fingerprints agree.

A query's role and prefix differ from a passage's by design, so a query is compared on everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from antiphon.domain.model import Model
from antiphon.domain.role import Role
from antiphon.errors import IllegalArgument

_META, _OURS, _KEY = "_meta", "antiphon", "embeddings"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``model`` is the SHA-256 of the model's package; ``model_id`` is for people and does not count.

    ``role`` and ``prefix`` are empty for a symmetric model.
    """

    model: str
    role: str
    prefix: str
    pooling: str
    normalize: bool
    dimension: int
    model_id: str = ""

    @classmethod
    def of(cls, model: Model, role: Role, dimension: int) -> Fingerprint:
        """Return the fingerprint of vectors that ``model`` makes in ``role``; ``dimension`` is its encoder's."""
        config = model.to_deploy()
        asymmetric = config.asymmetric
        return cls(
            model=model.model_content_hash_value or model.model_id,
            role=role.value if asymmetric else "",
            prefix=config.prefix(role) if asymmetric else "",
            pooling=config.pooling.value.lower(),
            normalize=config.normalize_result,
            dimension=dimension,
            model_id=model.model_id,
        )

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Fingerprint | None:
        """Return what ``write`` wrote, None when it is something else."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: body[name] for name in names}) if names <= body.keys() else None

    def write(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    def agrees(self, other: Fingerprint) -> bool:
        """True when vectors of both may lie in one field."""
        return self._passage() == other._passage()

    def comparable(self, query: Fingerprint) -> bool:
        """True when a query's vector may be compared with the field's: same model, pooling, length, dimension."""
        return self._space() == query._space()

    def __str__(self) -> str:
        words = [f"model [{self.model_id}] sha256 [{self.model[:12]}]"]
        if self.role:
            words.append(f"role [{self.role}] prefix [{self.prefix}]")
        words.append(f"pooling [{self.pooling}] normalize [{str(self.normalize).lower()}] dimension [{self.dimension}]")
        return " ".join(words)

    def _passage(self) -> tuple[Any, ...]:
        return (*self._space(), self.role, self.prefix)

    def _space(self) -> tuple[Any, ...]:
        return (self.model, self.pooling, self.normalize, self.dimension)


def fingerprints(mapping_body: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """Return the fingerprints recorded in a mapping's ``_meta``, by vector field."""
    held: Any = mapping_body
    for key in (_META, _OURS, _KEY):
        held = held.get(key) if isinstance(held, Mapping) else None
    return dict(_readable(held)) if isinstance(held, Mapping) else {}


def stamped(mapping_body: Mapping[str, Any], found: Mapping[str, Fingerprint]) -> dict[str, Any]:
    """Return the mapping's ``_meta`` with these fingerprints in it, in place of older ones of the same fields."""
    meta = dict(mapping_body.get(_META) or {})
    ours = dict(meta.get(_OURS) or {}) if isinstance(meta.get(_OURS), Mapping) else {}
    ours[_KEY] = {**(ours.get(_KEY) or {}), **{path: one.write() for path, one in found.items()}}
    return {**meta, _OURS: ours}


def check_written(index: str, path: str, held: Fingerprint, wanted: Fingerprint) -> None:
    """IllegalArgument when vectors of ``wanted`` must not go into the field."""
    if not held.agrees(wanted):
        raise IllegalArgument(
            f"field [{path}] of index [{index}] holds vectors of {held}, so vectors of {wanted} cannot be compared "
            "with them: make a new index and _reindex into it through the new pipeline"
        )


def check_queried(index: str, path: str, held: Fingerprint, query: Fingerprint) -> None:
    """IllegalArgument when a query embedded by ``query`` must not search the field."""
    if not held.comparable(query):
        raise IllegalArgument(
            f"field [{path}] of index [{index}] holds vectors of {held}, so a query embedded by {query} cannot be "
            "compared with them: query with the model that embedded the documents, or _reindex into a new index "
            "through a pipeline with the new model"
        )


def _readable(held: Mapping[str, Any]) -> Iterator[tuple[str, Fingerprint]]:
    for path, body in held.items():
        one = Fingerprint.read(body) if isinstance(body, Mapping) else None
        if one is not None:
            yield path, one
