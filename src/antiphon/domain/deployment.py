"""What a deploy found out about a model, and the precision it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Precision(StrEnum):
    """How numbers are computed. ``auto``: bf16 where the CPU has it in hardware, else fp32; int8 is lossy."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class DeployReport:
    """Figures of the deploy probes; cosines are minima over the probe texts, None where not applicable.

    ``role_cosine`` is the mean cosine between the same text in the two roles (it must be below 1);
    ``batch_cosine`` alone vs in a batch with a 512-token neighbour; ``precision_cosine`` against fp32.
    """

    engine: str
    engine_version: str
    precision: Precision
    lossy: bool
    threads: int
    dimension: int
    max_tokens: int
    batch_cosine: float
    role_cosine: float | None
    precision_cosine: float | None
    load_seconds: float


@dataclass(frozen=True, slots=True)
class EncoderStats:
    """Counters of one loaded encoder since its deploy: texts, tokens kept, and what truncation took.

    ``fixed_widths``: the lengths, in tokens, for which single texts have a branch of the graph by now.
    """

    texts: int = 0
    tokens: int = 0
    truncated_texts: int = 0
    truncated_tokens: int = 0
    batches: int = 0
    rejected_requests: int = 0
    queued_texts: int = 0
    fixed_widths: tuple[int, ...] = ()
