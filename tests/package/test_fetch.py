"""Downloads from a server of the tests' own, and files by URL."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from antiphon.domain.package import StagedZip
from antiphon.errors import PackageError
from antiphon.package import DiskPackages

CONTENT = bytes(range(256)) * 12_000
ANY = "^(https?|file|ftp)://"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web site of functions by path; ``seen`` lists the requests it got."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {"/model.zip": whole}
        self.seen: list[str] = []
        self.closing = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.seen.append(self.path)
                site.pages.get(self.path, missing)(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def whole(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT)


def unannounced(request: BaseHTTPRequestHandler) -> None:
    """Send the content without its length, as long as the client listens."""
    request.send_response(200)
    request.end_headers()
    request.wfile.write(CONTENT)


def cut_off(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[:1000])


def missing(request: BaseHTTPRequestHandler) -> None:
    request.send_error(404)


def redirect(target: str, status: int = 302) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Location", target)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


@pytest.fixture
def site() -> Iterator[Site]:
    opened = Site()
    yield opened
    opened.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def check_staged(staged: StagedZip, content: bytes = CONTENT) -> None:
    assert staged.path.read_bytes() == content
    assert staged.size_bytes == len(content)
    assert staged.sha256 == hashlib.sha256(content).hexdigest()


def refusal(root: Path, url: str, regex: str = ANY, *, max_bytes: int = 10**9, timeout_s: float = 10) -> str:
    with pytest.raises(PackageError) as caught:
        DiskPackages(root, max_bytes=max_bytes, timeout_s=timeout_s).fetch(url, regex)
    assert [file for file in root.rglob("*") if file.is_file()] == []
    return caught.value.reason


def test_a_download_is_counted_and_hashed(site: Site, root: Path) -> None:
    check_staged(DiskPackages(root).fetch(site.base + "/model.zip", ANY))


def test_a_download_of_unannounced_length(site: Site, root: Path) -> None:
    site.pages["/model.zip"] = unannounced
    check_staged(DiskPackages(root).fetch(site.base + "/model.zip", ANY))


def test_a_proxy_of_the_environment_does_not_stand_between_this_machine_and_itself(
    site: Site, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    check_staged(DiskPackages(root).fetch(site.base + "/model.zip", ANY))
    check_staged(DiskPackages(root).fetch(site.base.replace("127.0.0.1", "localhost") + "/model.zip", ANY))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int, site: Site, root: Path) -> None:
    site.pages["/a"] = redirect("/b", status)
    site.pages["/b"] = redirect(site.base + "/model.zip", status)
    check_staged(DiskPackages(root).fetch(site.base + "/a", ANY))
    assert site.seen == ["/a", "/b", "/model.zip"]


def test_redirects_end(site: Site, root: Path) -> None:
    site.pages["/a"] = redirect("/a")
    assert "register with the final URL" in refusal(root, site.base + "/a")
    assert len(site.seen) == 6


@pytest.mark.parametrize("target", ["https://127.0.0.1/model.zip", "file:///etc/passwd", "ftp://127.0.0.1/x", ""])
def test_a_redirect_keeps_its_scheme(target: str, site: Site, root: Path) -> None:
    site.pages["/a"] = redirect(target)
    text = refusal(root, site.base + "/a")
    assert f"redirects to [{target}], not to a URL of its own scheme" in text
    assert site.base + "/a" in text


def test_every_hop_must_be_trusted(site: Site, root: Path) -> None:
    site.pages["/trusted/a"] = redirect("/elsewhere/model.zip")
    text = refusal(root, site.base + "/trusted/a", "/trusted/")
    assert text.startswith("URL can't match trusted url regex")
    assert site.base + "/elsewhere/model.zip" in text
    assert site.seen == ["/trusted/a"]


def test_an_untrusted_url_is_not_asked(site: Site, root: Path) -> None:
    assert refusal(root, site.base + "/model.zip", "^https://").startswith("URL can't match trusted url regex")
    assert site.seen == []


def test_an_http_error_is_named(site: Site, root: Path) -> None:
    url = site.base + "/nothing.zip"
    assert f"[{url}] answered HTTP 404 Not Found" in refusal(root, url)


def test_a_body_shorter_than_announced(site: Site, root: Path) -> None:
    site.pages["/model.zip"] = cut_off
    text = refusal(root, site.base + "/model.zip")
    assert f"of {len(CONTENT)} bytes" in text
    assert site.base in text


@pytest.mark.parametrize("page", [whole, unannounced])
def test_the_cap(page: Answer, site: Site, root: Path) -> None:
    def patient(request: BaseHTTPRequestHandler) -> None:
        try:
            page(request)
        except ConnectionError:
            return  # the client has hung up, as it should

    site.pages["/model.zip"] = patient
    text = refusal(root, site.base + "/model.zip", max_bytes=100_000)
    assert text.startswith("Model file size exceeds the limit of 100000 bytes: ")
    assert site.base in text
    check_staged(DiskPackages(root, max_bytes=len(CONTENT)).fetch(site.base + "/model.zip", ANY))


def test_the_cap_of_opensearch_in_its_words(site: Site, root: Path) -> None:
    def huge(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(4 * 1024**3 + 1))
        request.end_headers()

    site.pages["/model.zip"] = huge
    with pytest.raises(PackageError, match=r"^Model file size exceeds the limit of 4GB: 4294967297"):
        DiskPackages(root).fetch(site.base + "/model.zip", ANY)


@pytest.mark.parametrize("after", [0, 1000])
def test_silence(after: int, site: Site, root: Path) -> None:
    def silent(request: BaseHTTPRequestHandler) -> None:
        if after:
            request.send_response(200)
            request.send_header("Content-Length", str(len(CONTENT)))
            request.end_headers()
            request.wfile.write(CONTENT[:after])
        site.closing.wait()

    site.pages["/model.zip"] = silent
    text = refusal(root, site.base + "/model.zip", timeout_s=0.1)
    assert ("sent nothing for 0.1 s" if after else "did not answer within 0.1 s") in text


def test_nobody_listens(root: Path) -> None:
    assert "[http://127.0.0.1:9/x.zip] cannot be reached" in refusal(root, "http://127.0.0.1:9/x.zip")


def test_a_password_stays_out_of_messages(root: Path) -> None:
    text = refusal(root, "http://me:secret@127.0.0.1:9/x.zip")
    assert "me:***@127.0.0.1" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://127.0.0.1/x.zip", "the URL scheme [ftp]"),
        ("jar:file:/x.zip", "the URL scheme [jar]"),
        ("model.zip", "the URL scheme []"),
        ("http://[::1/x.zip", "is not a URL"),
        ("http://127.0.0.1:port/x", "is not a URL"),
        ("http:///x.zip", "cannot be reached"),
    ],
)
def test_what_is_no_url_of_ours(url: str, text: str, root: Path) -> None:
    assert text in refusal(root, url, ".*")


def test_a_broken_regex_is_named(root: Path) -> None:
    assert "is no regular expression" in refusal(root, "http://127.0.0.1/x", "(")


@pytest.mark.parametrize("host", ["", "localhost"])
def test_a_file_by_its_url(host: str, tmp_path: Path, root: Path) -> None:
    path = tmp_path / "mödel #1 100%.zip"
    path.write_bytes(CONTENT)
    check_staged(DiskPackages(root).fetch(path.as_uri().replace("file://", f"file://{host}"), "^file:///|localhost"))
    assert path.read_bytes() == CONTENT


def test_files_that_cannot_be_read(tmp_path: Path, root: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "No such file" in refusal(root, (tmp_path / "none.zip").as_uri())
    assert "is not a regular file" in refusal(root, (tmp_path / "pipe").as_uri())
    assert "is not a regular file" in refusal(root, tmp_path.as_uri())
    assert "names the host [elsewhere]" in refusal(root, "file://elsewhere/x.zip")
    assert "unencoded '?'" in refusal(root, "file:///x?.zip")
    assert "null byte" in refusal(root, "file:///x%00.zip")
    assert "no absolute path" in refusal(root, "file:x.zip", ".*")


def test_the_cap_of_a_file(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(CONTENT)
    assert f": {len(CONTENT)} (" in refusal(root, path.as_uri(), max_bytes=len(CONTENT) - 1)
