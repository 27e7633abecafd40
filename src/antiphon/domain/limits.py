"""A token bucket: the rate limit of ML Commons' ``rate_limiter``."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """``rate`` tokens flow in each second up to ``burst``; one request takes one. Thread-safe; time is passed in."""

    rate: float
    burst: float
    tokens: float
    last: float
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> TokenBucket:
        """Return a bucket that starts full at ``now`` (seconds)."""
        return cls(rate, burst, burst, now)

    def take(self, now: float) -> bool:
        """Take one token; False, taking nothing, when less than one is there."""
        with self._lock:
            self.tokens = min(self.burst, self.tokens + max(0.0, now - self.last) * self.rate)
            self.last = max(self.last, now)
            if self.tokens < 1.0:
                return False
            self.tokens -= 1.0
            return True
