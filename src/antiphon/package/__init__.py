"""What is a model file? A URL, chunks or a source becomes a verified zip, unpacked and content-addressed.

Building and inspecting need onnx, the hub client and more, so that they are imported when first asked for: a server
that only fetches and verifies starts without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from antiphon.package.disk import DiskPackages

if TYPE_CHECKING:
    from antiphon.package.build import build_package, resolve_source
    from antiphon.package.inspect import inspect_package
    from antiphon.package.manifest import read_manifest

_HOMES = {
    "build_package": "build",
    "inspect_package": "inspect",
    "read_manifest": "manifest",
    "resolve_source": "build",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["DiskPackages", "build_package", "inspect_package", "read_manifest", "resolve_source"]
