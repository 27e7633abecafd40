"""What is a model file? A URL, chunks or a source becomes a verified zip, unpacked and content-addressed."""

from antiphon.package.disk import DiskPackages

__all__ = ["DiskPackages"]
