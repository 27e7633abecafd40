"""What a server says it is, in answer to ``GET /``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from antiphon.errors import AntiphonError


def opensearch_version(url: str, banner: Any) -> Mapping[str, Any]:
    """Return the banner's ``version``, whose ``number`` is one; AntiphonError when the server is no OpenSearch."""
    version = banner.get("version") if isinstance(banner, Mapping) else None
    number = version.get("number") if isinstance(version, Mapping) else None
    if not isinstance(version, Mapping) or re.match(r"\d+\.\d+", str(number)) is None:
        raise AntiphonError(f"{url} does not say which OpenSearch it is: {str(banner)[:200]}")
    if version.get("distribution", "opensearch") != "opensearch" or "build_flavor" in version:
        raise AntiphonError(f"{url} is Elasticsearch {number}, not OpenSearch")
    return version
