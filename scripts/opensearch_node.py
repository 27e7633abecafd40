"""A single real OpenSearch node with ml-commons, k-NN and neural-search, assembled from Maven Central and run here.

    scripts/opensearch-node [--port N] [--data FOLDER] [--heap 2g] [--version V] [--only-assemble]

It needs ``mvn`` and a JDK (17 or later for 2.x, 21 or later for 3.x). What is fetched and laid out stays in the cache;
the node runs in the foreground until Ctrl-C or SIGTERM.

How it is put together: the distribution's integration-test zip brings ``lib/`` and the transport; modules come as
jars without a descriptor, which is written here; plugins come as zips. The node is started by ``new Node(...)``, so
neither the root check nor the security manager applies. The k-NN zip on Central has no native libraries: its engine
is ``lucene``. Local models run on libtorch from DJL's artifacts, put where DJL looks first.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

VERSION = "3.6.0"
"""The newest for which Maven Central has all parts; 2.19.1 is the newest of 2.x."""
TORCH = "2.5.1"
PATIENCE_S = 120
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
_PLUGINS = ("opensearch-job-scheduler", "opensearch-knn", "opensearch-ml-plugin", "neural-search")
_JNI = ("0.31.1", "0.32.0", "0.31.0")
_MODULES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # module: (artifact, class without its end, what it extends); 2.x classes end in Plugin, 3.x in ModulePlugin
    "lang-painless": ("lang-painless", "org.opensearch.painless.Painless", ()),
    "analysis-common": ("analysis-common", "org.opensearch.analysis.common.CommonAnalysis", ("lang-painless",)),
    "ingest-common": ("ingest-common", "org.opensearch.ingest.common.IngestCommon", ("lang-painless",)),
    "lang-expression": ("lang-expression", "org.opensearch.script.expression.Expression", ()),
    "lang-mustache": ("lang-mustache-client", "org.opensearch.script.mustache.Mustache", ()),
    "mapper-extras": ("mapper-extras-client", "org.opensearch.index.mapper.MapperExtras", ()),
    "parent-join": ("parent-join-client", "org.opensearch.join.ParentJoin", ()),
    "rank-eval": ("rank-eval-client", "org.opensearch.index.rankeval.RankEval", ()),
    "reindex": ("reindex-client", "org.opensearch.index.reindex.Reindex", ()),
}
_RUN = """
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;

public class Run {
    public static void main(String[] a) throws Exception {
        Settings home = Settings.builder().put("path.home", a[0]).build();
        Environment env = InternalSettingsPreparer.prepareEnvironment(
            home, Collections.emptyMap(), Paths.get(a[1]), () -> "real-1");
        try {  // the distribution's own logging is what puts deprecation warnings on responses
            Class<?> configurator = Class.forName("org.opensearch.common.logging.LogConfigurator");
            configurator.getMethod("registerErrorListener").invoke(null);
            configurator.getMethod("setNodeName", String.class).invoke(null, "real-1");
            configurator.getMethod("configure", Environment.class).invoke(null, env);
        } catch (ReflectiveOperationException e) {
            System.err.println("logging stays plain: " + e + " " + e.getCause());
        }
        Node node = new Node(env);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { node.close(); } catch (Exception e) { e.printStackTrace(); }
        }));
        node.start();
        new CountDownLatch(1).await();
    }
}
"""
_LOGGING = """status = error
appender.c.type = Console
appender.c.name = c
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.c.ref = c
"""


class NodeError(Exception):
    """The node cannot be had or does not start; the text says which step failed."""


def cache_folder() -> Path:
    """Where what was fetched stays."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon" / "opensearch-node"


def assemble(version: str = VERSION) -> Path:
    """Return the home of the node, fetched and laid out unless it is there; NodeError when it cannot be, or not run."""
    _java(version)
    home = cache_folder() / f"home-{version}"
    if (home / "complete").exists():
        return home
    if shutil.which("mvn") is None:
        raise NodeError("mvn is not installed")
    fetched = cache_folder() / f"fetched-{version}"
    shutil.rmtree(home, ignore_errors=True)
    _distribution(version, fetched, home)
    for name in _MODULES:
        _module(name, version, fetched, home)
    for name in _PLUGINS:
        _plugin(name, version, fetched, home)
    _torch(fetched, home / "torch")
    (home / "Run.java").write_text(_RUN)
    (home / "complete").touch()
    shutil.rmtree(fetched)
    return home


@contextmanager
def running(
    *, port: int, data: Path | None = None, heap: str = "2g", version: str = VERSION
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Yield the base URL and the process of a node that answers; it is stopped afterwards.

    ``data`` None: a folder that is deleted. NodeError when it ends before it answers.
    """
    home = assemble(version)
    _check_free(port, port + 100)
    with tempfile.TemporaryDirectory(prefix="opensearch-node-") as scratch:
        place = (data or Path(scratch)).resolve()
        process = _launch(home, place, port, heap, version)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url, process, place)
            yield url, process
        finally:
            process.terminate()
            process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser("opensearch-node", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=9200)
    parser.add_argument("--data", type=Path, help="kept there; without it everything is forgotten at the end")
    parser.add_argument("--heap", default="2g")
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--only-assemble", action="store_true", help="fetch and lay out, start nothing")
    given = parser.parse_args(arguments)

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        home = assemble(given.version)
        if given.only_assemble:
            print(home)
            return 0
        start = time.monotonic()
        with running(port=given.port, data=given.data, heap=given.heap, version=given.version) as (url, process):
            print(f"OpenSearch {given.version} listens on {url} after {time.monotonic() - start:.0f} s", flush=True)
            return process.wait()
    except NodeError as error:
        print(f"opensearch-node: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _distribution(version: str, fetched: Path, home: Path) -> None:
    found = _copied(f"org.opensearch.distribution.integ-test-zip:opensearch:{version}:zip", fetched / "dist")
    with zipfile.ZipFile(found) as archive:
        for name in archive.namelist():
            inner = name.split("/", 1)[-1]
            if inner and not name.endswith("/"):
                _put(home / inner, archive.read(name))
    for folder in ("modules", "plugins"):
        (home / folder).mkdir(exist_ok=True)


def _module(name: str, version: str, fetched: Path, home: Path) -> None:
    place = home / "modules" / name
    if place.is_dir():
        return
    artifact, stem, extends = _MODULES[name]
    jars = _with_dependencies(artifact, version, fetched / name)
    there = _artifacts(home / "lib") | {art for one in extends for art in _artifacts(home / "modules" / one)}
    kept = [jar for jar in jars if _artifact(jar) not in there and not re.match(r"opensearch-\d|log4j-api", jar.name)]
    classes = [f"{stem}Plugin", f"{stem}ModulePlugin"]
    known = {entry for jar in kept for entry in zipfile.ZipFile(jar).namelist()}
    found = next((one for one in classes if one.replace(".", "/") + ".class" in known), None)
    if found is None:
        raise NodeError(f"module [{name}] has none of the classes {classes}")
    place.mkdir()
    for jar in kept:
        shutil.copy(jar, place)
    lines = {
        "name": name, "description": f"{name} from Maven Central", "version": version, "opensearch.version": version,
        "java.version": "11", "classname": found, "extended.plugins": ",".join(extends),
        "has.native.controller": "false",
    }  # fmt: skip
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    (place / "plugin-descriptor.properties").write_text(text)


def _plugin(name: str, version: str, fetched: Path, home: Path) -> None:
    with zipfile.ZipFile(_copied(f"org.opensearch.plugin:{name}:{version}.0:zip", fetched / "plugins")) as archive:
        (descriptor,) = (one for one in archive.namelist() if one.endswith("plugin-descriptor.properties"))
        front = descriptor.removesuffix("plugin-descriptor.properties")
        text = archive.read(descriptor).decode()
        own = re.search(r"(?m)^name=(.*)$", text)
        place = home / "plugins" / (own[1].strip() if own else name)
        for entry in archive.namelist():
            if not entry.endswith("/"):
                _put(place / entry.removeprefix(front), archive.read(entry))


def _torch(fetched: Path, place: Path) -> None:
    """Put libtorch and DJL's bridge to it into one folder, where DJL looks first."""
    native = _copied(f"ai.djl.pytorch:pytorch-native-cpu:{TORCH}:jar:linux-x86_64", fetched / "djl")
    for number, bridge in enumerate(_JNI):
        try:
            jni = _copied(f"ai.djl.pytorch:pytorch-jni:{TORCH}-{bridge}:jar", fetched / "djl")
            break
        except NodeError:
            if number == len(_JNI) - 1:
                raise
    for jar in (native, jni):
        with zipfile.ZipFile(jar) as archive:
            for entry in archive.namelist():
                if ".so" in entry.rsplit("/", 1)[-1] and "linux-x86_64" in entry and "/cpu/" in entry:
                    _put(place / entry.rsplit("/", 1)[-1], archive.read(entry))


def _launch(home: Path, place: Path, port: int, heap: str, version: str) -> subprocess.Popen[bytes]:
    java, major = _java(version)
    for folder in ("config", "data", "logs", "tmp"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "config" / "opensearch.yml").write_text(_settings(place, port))
    for name in ("boot.properties", "log4j2.properties"):
        (place / "config" / name).write_text(_LOGGING)
    options = [
        f"-Xmx{heap}", "-Xss1m", f"-Djava.io.tmpdir={place / 'tmp'}", "-Djava.awt.headless=true",
        "-Dfile.encoding=UTF-8", "-Djna.nosys=true", "-Dio.netty.noUnsafe=true",
        "-Dio.netty.noKeySetOptimization=true", "-Dio.netty.recycler.maxCapacityPerThread=0",
        "-Dlog4j.shutdownHookEnabled=false", "-Dlog4j2.disable.jmx=true",
        f"-Dlog4j2.configurationFile={place / 'config' / 'boot.properties'}", f"-Dopensearch.path.home={home}",
        f"-Dopensearch.path.conf={place / 'config'}", "-Dai.djl.offline=true",
        f"-Djava.locale.providers={'SPI,COMPAT' if version.startswith('2.') and major < 23 else 'SPI,CLDR'}",
        *(f"--add-opens=java.base/java.{one}=ALL-UNNAMED" for one in ("io", "nio", "lang")),
    ]  # fmt: skip
    if major >= 20:
        options += ["--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"]
    command = [java, *options, "-cp", f"{home / 'lib'}/*", str(home / "Run.java"), str(home), str(place / "config")]
    environment = os.environ | {
        "PYTORCH_LIBRARY_PATH": str(home / "torch"), "DJL_OFFLINE": "true", "OPT_OUT_TRACKING": "true",
    }  # fmt: skip
    with (place / "logs" / "run.log").open("wb") as log:
        return subprocess.Popen(command, cwd=place, stdout=log, stderr=subprocess.STDOUT, env=environment)


def _settings(place: Path, port: int) -> str:
    return f"""cluster.name: real
node.name: real-1
path.data: {place / "data"}
path.logs: {place / "logs"}
network.host: 127.0.0.1
http.port: {port}
transport.port: {port + 100}
discovery.type: single-node
cluster.routing.allocation.disk.threshold_enabled: false
plugins.ml_commons.only_run_on_ml_node: false
plugins.ml_commons.native_memory_threshold: 100
plugins.ml_commons.jvm_heap_memory_threshold: 100
"""


def _check_free(*ports: int) -> None:
    for port in ports:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                raise NodeError(f"something listens on port {port} already: name another with --port")


def _wait(url: str, process: subprocess.Popen[bytes], place: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_cluster/health?wait_for_status=yellow&timeout=5s", timeout=10):
                if process.poll() is None:
                    return
        except OSError:
            time.sleep(0.2)
    log = place / "logs" / "run.log"
    last = " | ".join(log.read_text(errors="replace").splitlines()[-5:])
    raise NodeError(f"the node did not start; the end of its log: {last}")


def _java(version: str) -> tuple[str, int]:
    """Return a JDK's ``java`` that can run this version, and its major number."""
    least = 21 if version.startswith("3.") else 17
    homes = [os.environ.get("OPENSEARCH_JAVA_HOME"), os.environ.get("JAVA_HOME")]
    found = [str(Path(home) / "bin" / "java") for home in homes if home] + ["java"]
    found += [str(path) for path in sorted(Path("/usr/lib/jvm").glob("*/bin/java"))]
    for java in found:
        try:
            said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        except OSError:
            continue
        major = re.search(r'"(\d+)', said)
        if major is not None and int(major[1]) >= least:
            return java, int(major[1])
    raise NodeError(f"there is no JDK {least} or later: set OPENSEARCH_JAVA_HOME")


def _copied(coordinates: str, folder: Path) -> Path:
    """Fetch one artifact and return its file."""
    before = set(folder.iterdir()) if folder.is_dir() else set()
    _mvn(coordinates, "copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={folder}", "-Dmdep.useBaseVersion=true")
    (found,) = set(folder.iterdir()) - before
    return found


def _with_dependencies(artifact: str, version: str, folder: Path) -> list[Path]:
    """Fetch a jar and all that it needs at run time."""
    folder.mkdir(parents=True, exist_ok=True)
    pom = folder.with_suffix(".xml")
    group = "org.opensearch.plugin"
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>"
        f"<dependencies><dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency></dependencies></project>"
    )
    _mvn(artifact, "copy-dependencies", "-f", str(pom), "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
    return sorted(folder.glob("*.jar"))


def _mvn(what: str, goal: str, *options: str) -> None:
    print(f"opensearch-node: fetching {what}", file=sys.stderr, flush=True)
    done = subprocess.run(
        ["mvn", "-B", "-ntp", "-q", f"{_COPY}:{goal}", *options], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = next((line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line), "mvn failed")
        raise NodeError(f"{what} cannot be fetched: {re.sub(r' *in central .*', '', said)}")


def _artifact(jar: Path) -> str:
    return re.sub(r"-\d[\w.+-]*\.jar$", "", jar.name)


def _artifacts(folder: Path) -> set[str]:
    return {_artifact(jar) for jar in folder.glob("*.jar")}


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
