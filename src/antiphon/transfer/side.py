"""One of the two servers of a transfer, and what its version can do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.banner import opensearch_version
from antiphon.remote import RestClient

Floats = NDArray[np.float32]
_TEXTS = 50
"""Texts of one predict request: a cluster runs them one after the other."""


@dataclass(frozen=True, slots=True)
class Side:
    """A server: ``number`` is the version in its banner, ``antiphon`` whether it is one of ours.

    ``place`` is where it stands for who reads the messages: "here" or "there".
    """

    client: RestClient
    number: str
    antiphon: bool
    place: str

    @classmethod
    def read(cls, client: RestClient, place: str) -> Side:
        """Ask the banner; AntiphonError when it is no OpenSearch."""
        version = opensearch_version(client.url, client.ask("GET", "/"))
        return cls(client, str(version["number"]), "antiphon" in version, place)

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor number."""
        found = re.match(r"(\d+)\.(\d+)", self.number)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def name(self) -> str:
        """What it is, and where."""
        what = f"Antiphon, which speaks OpenSearch {self.number}," if self.antiphon else f"OpenSearch {self.number}"
        return f"{what} at {self.client.url}"

    @property
    def knows_roles(self) -> bool:
        """Whether asymmetric models can be registered and asked by ``_predict`` (2.14)."""
        return self.antiphon or self.version >= (2, 14)

    @property
    def searches_by_roles(self) -> bool:
        """Whether pipelines and neural queries can use an asymmetric model (3.5)."""
        return self.antiphon or self.version >= (3, 5)

    @property
    def knows_semantic(self) -> bool:
        """Whether mappings may have ``semantic`` fields (3.1)."""
        return self.antiphon or self.version >= (3, 1)

    def predict(self, model_id: str, texts: Sequence[str], role: str | None) -> Floats:
        """Return float32 ``[len(texts), dimension]`` of a deployed model; ``role`` is None for a symmetric one."""
        rows: list[Any] = []
        for start in range(0, len(texts), _TEXTS):
            body: dict[str, Any] = {
                "text_docs": list(texts[start : start + _TEXTS]),
                "return_number": True,
                "target_response": ["sentence_embedding"],
            }
            if role is not None:
                body["parameters"] = {"content_type": role}
            answer = self.client.ask("POST", f"/_plugins/_ml/models/{model_id}/_predict", body)
            rows += [result["output"][0]["data"] for result in answer["inference_results"]]
        return np.array(rows, np.float32)
