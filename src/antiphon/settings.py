"""What can I set? defaults < file < environment (ANTIPHON_*) < flags -> one frozen Settings.

The fields of ``Settings`` are the one table: name, default, legal values and help of every setting. Reading the file,
the environment and the flags, the shell's help and docs/reference/settings.md all come from it.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from antiphon.domain.deployment import Precision
from antiphon.errors import IllegalArgument

__all__ = ["CONFIG_VARIABLE", "PASSWORD_VARIABLE", "Kind", "LogLevel", "Setting", "Settings", "settings_table"]

CONFIG_VARIABLE = "ANTIPHON_CONFIG"
PASSWORD_VARIABLE = "ANTIPHON_CLUSTER_PASSWORD"  # noqa: S105  a name, no password
"""Holds the password of ``cluster``, which has no flag and no place in a file: others read those."""
_PREFIX = "ANTIPHON_"
_NOT_SETTINGS = frozenset(
    {
        CONFIG_VARIABLE,
        PASSWORD_VARIABLE,
        "ANTIPHON_URL",
        "ANTIPHON_PYTHON",
        "ANTIPHON_CONTRACT_URL",
        "ANTIPHON_USER",
        "ANTIPHON_PASSWORD",
    }
)
_UNITS = {"": 1, "b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "tb": 1024**4}


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Kind:
    """What values are legal, in words, and ``read``, which returns a value of a source or raises ValueError."""

    legal: str
    read: Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. ``default`` is shown in words where it depends on the machine."""

    name: str
    default: str
    kind: Kind
    help: str

    @property
    def variable(self) -> str:
        """The environment variable: ``ANTIPHON_PORT`` for ``port``."""
        return _PREFIX + self.name.upper()

    @property
    def is_path(self) -> bool:
        """True of a file or folder."""
        return self.kind.read is _path

    @property
    def flag(self) -> str:
        """The flag of ``antiphon serve``: ``--log-level`` for ``log_level``."""
        return "--" + self.name.replace("_", "-")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _path(value: object) -> Path:
    try:
        return (value if isinstance(value, Path) else Path(_text(value))).expanduser()
    except RuntimeError as error:  # the home folder of a user that does not exist
        raise ValueError from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError
    return number


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.strip().lower() not in ("true", "false"):
        raise ValueError
    return value.strip().lower() == "true"


def _integer(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError
    match = re.fullmatch(r"\s*(\d+)\s*([kmgt]?b)?\s*", str(value), re.IGNORECASE | re.ASCII)
    if match is None or int(match[1]) == 0:
        raise ValueError
    return int(match[1]) * _UNITS[(match[2] or "").lower()]


def _choice(options: type[StrEnum]) -> Kind:
    return Kind("one of " + ", ".join(options), lambda value: options(_text(value).strip().lower()))


_TEXT = Kind("a text", _text)
_OPTIONAL_TEXT = Kind("a text", _optional_text)
_PATH = Kind("a folder", _path)
_FILE = Kind("a file", _path)
_BOOLEAN = Kind("true or false", _boolean)
_PORT = Kind("an integer from 0 to 65535", _integer(0, 65535))
_THREADS = Kind("an integer from 0 to 1024", _integer(0, 1024))
_COUNT = Kind("an integer from 1 to 10000000", _integer(1, 10_000_000))
_SIZE = Kind("a number of bytes above 0, or one with the unit kb, mb, gb or tb (powers of 1024)", _size)
_SECONDS = Kind("a number of seconds, 0 or more", _number)


def _xdg(variable: str, otherwise: str) -> Callable[[], Path]:
    return lambda: Path(os.environ.get(variable) or Path.home() / otherwise) / "antiphon"


def _setting(default: Any, kind: Kind, text: str, *, shown: str | None = None, secret: bool = False) -> Any:
    """Return a dataclass field that is also a row of the table; ``default`` may be a function.

    A ``secret`` one may hold a password, and is in no ``repr``.
    """
    metadata = {"kind": kind, "help": text, "shown": shown if shown is not None else f"{default}"}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set before the server starts; what can change while it runs is a cluster setting.

    The data folder does not depend on where the command is run: a server started from elsewhere finds its models.
    """

    host: str = _setting("127.0.0.1", _TEXT, "Address to listen on; only this machine reaches the default.")
    port: int = _setting(9200, _PORT, "Port to listen on; 0 takes a free one.")
    data: Path = _setting(
        _xdg("XDG_DATA_HOME", ".local/share"),
        _PATH,
        "Folder that holds the catalog and the model packages; one server at a time.",
        shown="$XDG_DATA_HOME/antiphon, else ~/.local/share/antiphon",
    )
    cache: Path = _setting(
        _xdg("XDG_CACHE_HOME", ".cache"),
        _PATH,
        "Folder for what can be made again: built packages, compiled models.",
        shown="$XDG_CACHE_HOME/antiphon, else ~/.cache/antiphon",
    )
    model: str | None = _setting(
        None,
        _OPTIONAL_TEXT,
        "Model to register and deploy at start: a zip, a folder, a hub id, or bundled:multilingual-e5-small.",
        shown="none",
    )
    precision: Precision = _setting(
        Precision.AUTO,
        _choice(Precision),
        "How numbers are computed: auto is bf16 where the CPU has it in hardware, else fp32; int8 is lossy.",
    )
    threads: int = _setting(0, _THREADS, "CPU threads of the engine; 0 uses every CPU.")
    max_queue_texts: int = _setting(
        10_000, _COUNT, "Texts that may wait for one model; a request that finds no room is answered with 429."
    )
    max_body_bytes: int = _setting(100_000_000, _SIZE, "Largest request body; a larger one is answered with 413.")
    max_package_bytes: int = _setting(
        4 * 1024**3,
        _SIZE,
        "Largest model package, as a zip and unpacked; a larger one fails its register task.",
        shown="4gb",
    )
    shutdown_grace_s: float = _setting(
        30.0, _SECONDS, "How long running requests may take to finish after SIGTERM or Ctrl-C.", shown="30"
    )
    log_level: LogLevel = _setting(LogLevel.INFO, _choice(LogLevel), "How much is logged, to stderr.")
    cluster_name: str = _setting("antiphon", _TEXT, "Name of this cluster of one, as the banner shows it.")
    node_name: str = _setting("antiphon-1", _TEXT, "Name of its node.")
    cluster: str | None = _setting(
        None,
        _OPTIONAL_TEXT,
        "OpenSearch cluster that holds and searches the documents, http(s)://[user[:password]@]host[:port]; models run "
        "here. Its password may come in ANTIPHON_CLUSTER_PASSWORD.",
        shown="none",
        secret=True,
    )
    cluster_ca_cert: Path | None = _setting(
        None, _FILE, "PEM file of the authority that signed the cluster's certificate.", shown="the system's"
    )
    cluster_insecure: bool = _setting(
        False, _BOOLEAN, "Do not check the cluster's certificate: anyone on the way could read along.", shown="false"
    )

    @classmethod
    def load(
        cls,
        *,
        file: Path | None = None,
        env: Mapping[str, str] | None = None,
        flags: Mapping[str, Any] | None = None,
    ) -> Settings:
        """Return the settings of the sources that are given: flags over ``env`` over ``file`` over defaults.

        ``file``, else the file that ANTIPHON_CONFIG names in ``env``, is a YAML mapping of setting names. Flags that
        are None and variables that are empty count as not given. Raises IllegalArgument, naming source, value and
        what is legal, for a bad value, an unknown name, or a file that cannot be read.
        """
        env = {} if env is None else env
        named = env.get(CONFIG_VARIABLE)
        path = file if file is not None else Path(named).expanduser() if named else None
        values = {} if path is None else _from_file(path)
        values |= _from_environment(env)
        values |= _from_flags({} if flags is None else flags)
        if values.get("cluster") and env.get(PASSWORD_VARIABLE):
            values["cluster"] = _with_password(values["cluster"], env[PASSWORD_VARIABLE])
        return cls(**values)


def settings_table() -> dict[str, Setting]:
    """Every setting by its name, in the order of the reference page."""
    return {
        row.name: Setting(row.name, row.metadata["shown"], row.metadata["kind"], row.metadata["help"])
        for row in dataclasses.fields(Settings)
    }


def _with_password(address: str, password: str) -> str:
    """Return ``[scheme://]user@host`` with a password; one that has its own as it is."""
    user, at, host = address.rpartition("@")
    if not at:
        raise IllegalArgument(f"{PASSWORD_VARIABLE} is set, but [cluster] names no user: write it as https://user@host")
    return address if ":" in user.rpartition("//")[2] else f"{user}:{quote(password, safe='')}@{host}"


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    rows = {row.variable: row for row in settings_table().values()}
    values = {}
    for variable, value in env.items():
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS or value == "":
            continue
        if variable not in rows:
            raise _unknown(f"environment variable [{variable}]", variable, [*rows, *_NOT_SETTINGS])
        values[rows[variable].name] = _read(rows[variable], value, f"environment variable [{variable}]")
    return values


def _from_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    rows = settings_table()
    values = {}
    for name, value in flags.items():
        if name not in rows:
            raise _unknown(f"flag [{name}]", name, rows)
        if value is not None:
            values[name] = _read(rows[name], value, f"flag [{rows[name].flag}]")
    return values


def _from_file(path: Path) -> dict[str, Any]:
    rows = settings_table()
    values: dict[str, Any] = {}
    for name, value in _yaml_pairs(path):
        source = f"setting [{name}] of the file [{path}]"
        if name not in rows:
            raise _unknown(source, name, rows)
        if name in values:
            raise IllegalArgument(f"{source} is there twice: keep one")
        values[name] = _read(rows[name], value, source)
    return values


def _yaml_pairs(path: Path) -> list[tuple[str, object]]:
    """Return the pairs of a YAML mapping in their order, repeated keys included; an empty file has none."""
    import yaml  # only who has a file waits for it

    try:
        with path.open("rb") as content:
            loader = yaml.SafeLoader(content)
            root = loader.get_single_node()
            if root is None:
                return []
            if not isinstance(root, yaml.MappingNode):
                raise IllegalArgument(f"the settings file [{path}] must be a mapping such as [port: 9200]")
            construct = partial(loader.construct_object, deep=True)
            return [(str(construct(key)), construct(value)) for key, value in root.value]
    except OSError as error:
        raise IllegalArgument(f"the settings file [{path}] cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise IllegalArgument(f"the settings file [{path}] is not YAML: {' '.join(str(error).split())}") from error


def _read(row: Setting, value: object, source: str) -> Any:
    try:
        return row.kind.read(value)
    except ValueError:
        raise IllegalArgument(f"{source} cannot be [{value}]: it must be {row.kind.legal}") from None


def _unknown(source: str, name: str, known: Iterable[str]) -> IllegalArgument:
    close = get_close_matches(name, list(known), n=1)
    hint = f"did you mean [{close[0]}]?" if close else f"known are {', '.join(sorted(known))}"
    return IllegalArgument(f"unknown {source}: {hint}")
