"""Makes the pages of docs/reference from the code: ``scripts/docs`` writes them, a test compares them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from antiphon.cli.commands import app
from antiphon.settings import settings_table
from scripts.compatibility_table import compatibility_table
from tests.contract.story import all_stories

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

_SETTINGS = """\
# Settings

<!-- made by scripts/docs; do not edit -->

What can be set before the server starts. A flag of `antiphon serve` wins over the environment, the environment over
the file, the file over the default. The file is YAML, a mapping of setting names (`port: 9200`); `--config FILE` or
`ANTIPHON_CONFIG` names it. A relative path in it starts at the folder where the command is run. A variable that is
empty counts as not given. An unknown name, in the file or with the prefix `ANTIPHON_`, is refused, and so is a value
that is not legal.

```yaml
port: 9201
data: ~/antiphon
model: multilingual-e5-small
max_body_bytes: 200mb
```

What can change while the server runs is a [cluster setting](../compatibility.md#cluster-settings), as in OpenSearch.

"""
_CLI = """\
# Command line

<!-- made by scripts/docs; do not edit -->

Results go to stdout, everything else to stderr. The exit code is 0 when all went well, 1 when not (one line on stderr
says why), 2 for wrong usage.

"""


def pages() -> dict[Path, str]:
    """Return every generated page: path to text."""
    return {
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "compatibility-table.md": compatibility_table(all_stories()),
    }


def settings_page() -> str:
    """One section per setting, in the order of the table."""
    sections = [
        f"## {row.name}\n\n{row.help}\n\n"
        f"Default: `{row.default}`. Legal: {row.kind.legal}. Flag: `{row.flag}`. Variable: `{row.variable}`.\n"
        for row in settings_table().values()
    ]
    return _SETTINGS + "\n".join(sections)


def cli_page() -> str:
    """One section per command, with its help as the shell prints it."""
    sections = []
    for name, _ in commands():
        words = [*name.split(), "--help"]
        result = CliRunner().invoke(app, words, terminal_width=100, max_content_width=100, prog_name="antiphon")
        shown = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        sections.append(f"## antiphon{' ' + name if name else ''}\n\n```text\n{shown}\n```\n")
    return _CLI + "\n".join(sections)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield (words after ``antiphon``, command), parents before children."""
    yield from _below("", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for child in sorted(getattr(command, "commands", {})):
        yield from _below(f"{name} {child}".strip(), command.commands[child])


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
