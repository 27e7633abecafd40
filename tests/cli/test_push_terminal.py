"""What a person sees on a terminal while something is pushed: whole lines, with the bars gone."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading

from tests.cli.test_push import here, other
from tests.support.server import ProcessServer

__all__ = ["here", "other"]
NAME = "seen"


def screen(written: str) -> list[str]:
    """Return the lines that a terminal shows in the end: returns, new lines, cursor up and erased lines are obeyed."""
    rows, row, column = [""], 0, 0
    for sign in re.finditer(r"\x1b\[\??(\d*)[;\d]*([A-Za-z])|.|\n", written):
        number, command = sign.groups()
        if command == "A":
            row = max(0, row - int(number or 1))
        elif command == "K":
            rows[row] = ""
        elif sign[0] == "\r":
            column = 0
        elif sign[0] == "\n":
            row += 1
            rows += [""] * (row == len(rows))
        elif command is None:
            rows[row] = rows[row].ljust(column)[:column] + sign[0] + rows[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in rows]


def on_a_terminal(*arguments: str) -> str:
    """Run the command with a terminal as its stderr; return all that was written there."""
    ours, theirs = pty.openpty()
    written: list[bytes] = []

    def read() -> None:
        try:
            while block := os.read(ours, 65536):
                written.append(block)
        except OSError:  # the other end is closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    environment = os.environ | {"COLUMNS": "150", "TERM": "xterm"}
    subprocess.run([sys.executable, "-m", "antiphon", *arguments], stderr=theirs, env=environment, check=True)
    os.close(theirs)
    reader.join()
    os.close(ours)
    return b"".join(written).decode()


def test_lines_and_bars_do_not_mix(here: ProcessServer, other: ProcessServer) -> None:
    lines = [json.dumps(part) for n in range(30) for part in ({"index": {"_id": str(n)}}, {"text": f"river {n}"})]
    headers = {"content-type": "application/x-ndjson"}
    here.client.post(f"/{NAME}/_bulk?refresh=true", content="\n".join([*lines, ""]), headers=headers).raise_for_status()
    written = on_a_terminal("push", NAME, "--to", other.url)
    assert f"[{NAME}] words \x1b" in written  # a bar, and its name is not taken for markup
    shown = [re.sub(r"[\d,.]+/s|\d\.\de[-+]\d+", "N", line) for line in screen(written) if line]
    overlap = "overlap of the first 10 is 1.000 on average, 1.00 at worst"
    assert shown == [
        f"preflight: Antiphon, which speaks OpenSearch 3.6.0, at {other.url}",
        "  nothing to do",
        f"index {NAME}",
        f"  create index [{NAME}]",
        f"  write 30 of 30 documents to [{NAME}], N",
        "  30 documents on both, all are the same",
        "rankings",
        f"  [{NAME}] words: 20 queries, {overlap}; scores differ by N at most",
        "2 changes made",
    ]
    for server in (here, other):
        server.client.delete(f"/{NAME}")
