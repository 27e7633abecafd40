"""Model packages on disk, content-addressed: the folder below the data folder that the flows call Packages."""

from __future__ import annotations

import logging
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from antiphon.domain.model import ModelFormat
from antiphon.domain.package import StagedZip
from antiphon.errors import PackageError
from antiphon.package.staging import BLOCK_BYTES, OPENSEARCH_MAX_BYTES, make_folder, stage, sync_folder, too_large
from antiphon.package.unpack import unpack
from antiphon.package.verify import check_zip

ZIP_NAME = "package.zip"
"""The original zip, beside the files that came out of it."""

_log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MODEL_ID = re.compile(r"[A-Za-z0-9_-]{1,512}")


class DiskPackages:
    """Fulfils ``Packages``; thread-safe. ``root`` is made when it is first written to.

    ``packages/<sha256>/`` holds the files of a package and its zip, ``chunks/<model_id>/<n>`` uploads,
    ``staging/`` what is not verified yet. ``max_bytes`` of a zip, and of what it unpacks to; ``timeout_s`` of one
    silence of a download.
    """

    def __init__(self, root: Path, *, max_bytes: int = OPENSEARCH_MAX_BYTES, timeout_s: float = 60) -> None:
        self._packages = root / "packages"
        self._staging = root / "staging"
        self._chunks = root / "chunks"
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    def fetch(self, url: str, trusted_url_regex: str, within_s: float = math.inf) -> StagedZip:
        """Stream ``url`` (http, https, file) to a staged zip; PackageError on any failure, nothing left behind."""
        from antiphon.package.fetch import fetch_zip  # the HTTP client is worth 0.1 s of a server's start

        return fetch_zip(
            url,
            trusted_url_regex,
            self._staging,
            max_bytes=self._max_bytes,
            timeout_s=self._timeout_s,
            within_s=within_s,
        )

    def put_chunk(self, model_id: str, number: int, content: bytes) -> None:
        """Keep one uploaded chunk (0-based), durably; a second upload of the same number replaces the first."""
        folder = self._chunk_folder(model_id)
        try:
            make_folder(folder)
            handle, name = tempfile.mkstemp(prefix=".", dir=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(handle)
                os.replace(name, folder / str(int(number)))  # noqa: PTH105
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            sync_folder(folder)
        except OSError as error:
            raise PackageError(
                f"cannot keep chunk {number} of model [{model_id}] in [{folder}]: {error.strerror}. Upload it again"
            ) from error

    def chunks(self, model_id: str) -> frozenset[int]:
        """Return the numbers of the chunks that have arrived."""
        try:
            names = [entry.name for entry in self._chunk_folder(model_id).iterdir()]
        except FileNotFoundError:
            return frozenset()
        return frozenset(int(name) for name in names if name.isdecimal())

    def join_chunks(self, model_id: str, total: int) -> StagedZip:
        """Join chunks 0..total-1 in order into a staged zip; PackageError names the missing ones."""
        missing = sorted(set(range(total)) - self.chunks(model_id))
        if missing:
            named = ", ".join(map(str, missing[:20])) + (" ..." if len(missing) > 20 else "")
            raise PackageError(f"chunks of model [{model_id}] are missing: {named} of 0 to {total - 1}; upload them")
        return stage(self._joined(model_id, total), self._staging, self._max_bytes, f"model [{model_id}]")

    def drop_chunks(self, model_id: str) -> None:
        """Forget the chunks of ``model_id``. Idempotent."""
        self._discard(self._chunk_folder(model_id))

    def admit(self, staged: StagedZip, expected_sha256: str, model_format: ModelFormat) -> Path:
        """Verify a staged zip and move it into its content-addressed folder, which is returned.

        Raises PackageError with ML Commons' text (`model content changed`, `No tokenizer file`, ...); the staged
        file is gone afterwards either way. A package that is there already is kept as it is.
        """
        try:
            if staged.size_bytes > OPENSEARCH_MAX_BYTES:
                raise too_large(f"{staged.size_bytes}", OPENSEARCH_MAX_BYTES, "the staged zip")
            entries = check_zip(staged.path, model_format, reserved=ZIP_NAME, max_unpacked_bytes=self._max_bytes)
            if staged.sha256 != expected_sha256.strip().lower():
                raise PackageError(
                    f"model content changed: the zip has SHA-256 [{staged.sha256}], [model_content_hash_value] is "
                    f"[{expected_sha256}]. Compute it again with `sha256sum`, or fetch the zip that it belongs to"
                )
            home = self._packages / staged.sha256
            if not home.is_dir():
                make_folder(self._staging)
                work = Path(tempfile.mkdtemp(dir=self._staging))
                try:
                    unpack(staged.path, entries, work, keep_as=ZIP_NAME)
                    self._settle(work, home)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
            return home
        except OSError as error:
            raise PackageError(
                f"cannot unpack the package into [{self._packages}]: {error.strerror or error}. Check space and rights"
            ) from error
        finally:
            staged.path.unlink(missing_ok=True)

    def folder(self, sha256: str) -> Path:
        """Return the unpacked folder of an admitted package; PackageError when it is not there."""
        home = self._packages / sha256.lower()
        if not _SHA256.fullmatch(sha256.lower()) or not home.is_dir():
            raise PackageError(f"there is no package with SHA-256 [{sha256}] in [{self._packages}]: register it again")
        return home

    def zip(self, sha256: str) -> Path:
        """Return the zip of an admitted package, byte for byte as it came; PackageError when it is not there."""
        return self.folder(sha256) / ZIP_NAME

    def remove(self, sha256: str) -> None:
        """Delete an admitted package. Idempotent."""
        if _SHA256.fullmatch(sha256.lower()):
            self._discard(self._packages / sha256.lower())

    def sweep(self, keep: frozenset[str], uploading: frozenset[str]) -> None:
        """Delete staged leftovers, packages not in ``keep`` and chunks of models not in ``uploading``."""
        kept = {sha256.lower() for sha256 in keep}
        for folder, spared in ((self._packages, kept), (self._chunks, uploading), (self._staging, frozenset[str]())):
            for entry in list(folder.iterdir()) if folder.is_dir() else []:
                if entry.name not in spared:
                    _delete(entry)

    def _settle(self, work: Path, home: Path) -> None:
        """Rename ``work`` to ``home`` in one step, durably; a twin that got there first wins."""
        make_folder(self._packages)
        try:
            work.rename(home)
        except OSError:
            if not home.is_dir():
                raise
        sync_folder(self._packages)

    def _chunk_folder(self, model_id: str) -> Path:
        if not _MODEL_ID.fullmatch(model_id):
            raise PackageError(f"[{model_id}] is no model id: letters, digits, '_' and '-' only, at most 512")
        return self._chunks / model_id

    def _joined(self, model_id: str, total: int) -> Iterator[bytes]:
        folder = self._chunk_folder(model_id)
        for number in range(total):
            try:
                with (folder / str(number)).open("rb") as chunk:
                    while block := chunk.read(BLOCK_BYTES):
                        yield block
            except OSError as error:
                raise PackageError(
                    f"cannot read chunk {number} of model [{model_id}]: {error.strerror}. Upload it again"
                ) from error

    def _discard(self, folder: Path) -> None:
        """Take a folder out of sight in one step, then delete it."""
        if not folder.is_dir():
            return
        try:
            make_folder(self._staging)
            grave = Path(tempfile.mkdtemp(dir=self._staging))
            try:
                with suppress(FileNotFoundError):
                    folder.rename(grave / "gone")
                sync_folder(folder.parent)
            finally:
                shutil.rmtree(grave, ignore_errors=True)
        except OSError as error:
            raise PackageError(f"cannot delete [{folder}]: {error.strerror}. Check the rights on it") from error


def _delete(entry: Path) -> None:
    """Delete a leftover; one that cannot be deleted costs space, not the start of the server."""
    try:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    except OSError as error:
        _log.warning("cannot delete the leftover [%s]: %s", entry, error.strerror)
