"""How fast mail and events are taken in, each durable before the answer: `python -m benchmarks.receiving` writes RECEIVING.md.

The receiver is `mailhealth run` in a process of its own, the senders are Postfix's smtp-source and wrk on the same machine. Beside it stands
Postfix's smtp-sink, which keeps nothing.
"""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from analyzer.inbox import Inbox
from tests.servers import end, free_port, until

MESSAGES, SIZE, SESSIONS = 15_000, 5_000, 10
SECONDS, BATCH = 10, 100
RESULTS = Path(__file__).with_name("RECEIVING.md")
CONFIG = """store = "store"
[sources.bounces]
type = "smtp-sink"
port = {smtp}
domains = ["bounces.example"]
[sources.hooks]
type = "http"
port = {http}
[sources.hooks.events]
secret = "s"
"""
# wrk asks for each request: every body is another one, so that each is kept
SCRIPT = """local n = 0
local batch = {batch}
function request()
  local rows = {{}}
  for i = 1, batch do
    n = n + 1
    rows[i] = string.format('{{"kind":"opened","recipient":"u%d@far.example","at":"2026-11-23T09:40:00Z","message_id":"%s-%d@shop.example"}}', n, tostring(rows), n)
  end
  return wrk.format("POST", "/v1/events", {{["Authorization"] = "Bearer s", ["Content-Type"] = "application/json"}}, "[" .. table.concat(rows, ",") .. "]")
end
"""


@contextmanager
def running(folder: Path, part: str, port: int) -> Iterator[None]:
    """One part of `mailhealth serve`."""
    command = [sys.executable, "-m", "analyzer", "--config", str(folder / "mailhealth.toml"), "run", part]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: listens(port), 60, part)
            yield
        finally:
            end(process)


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def sent(port: int) -> float:
    """Messages a second that smtp-source gets rid of: SESSIONS at once, connections kept."""
    address = f"inet:127.0.0.1:{port}"
    command = ["smtp-source", "-d", "-s", str(SESSIONS), "-m", str(MESSAGES), "-l", str(SIZE), "-f", "", "-t", "v@bounces.example", address]
    began = time.monotonic()
    subprocess.run(command, check=True)
    return MESSAGES / (time.monotonic() - began)


def posted(port: int, folder: Path, batch: int) -> float:
    """Events a second that wrk posts, so many a request."""
    script = folder / "post.lua"
    script.write_text(SCRIPT.format(batch=batch))
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}/"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told:
        raise SystemExit(told)
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    return float(found[1]) * batch if found else 0.0


def measured(folder: Path) -> Iterator[tuple[str, float, str]]:
    """What, how many a second, and a note."""
    smtp, http, sink = free_port(), free_port(), free_port()
    (folder / "mailhealth.toml").write_text(CONFIG.format(smtp=smtp, http=http))
    with running(folder, "bounces", smtp):
        ours = sent(smtp)
    with subprocess.Popen(["smtp-sink", "-u", "nobody", f"inet:127.0.0.1:{sink}", "100"]) as process:
        until(lambda: listens(sink), 20, "smtp-sink")
        bare = sent(sink)
        end(process)
    kept = Inbox(folder / "store" / "inbox.sqlite").waiting()
    yield (
        f"SMTP, {SIZE / 1000:.0f} KB, {SESSIONS} sessions kept open",
        ours,
        f"messages; {kept:,} kept of {MESSAGES:,}; {ours / bare:.2f} of smtp-sink, which keeps nothing",
    )
    with running(folder, "hooks", http):
        yield "HTTP, an event a request", posted(http, folder, 1), "events"
        yield f"HTTP, {BATCH} events a request", posted(http, folder, BATCH), "events"


def main() -> None:
    """Measures, prints and writes the table."""
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; {date.today():%d %B %Y}"
    lines = [
        f"# How fast mail and events are taken in\n\nWritten by `python -m benchmarks.receiving`. {where}. Sender and receiver share the machine.\n"
    ]
    lines += ["| what | a second | |", "|---|---:|---|"]
    with tempfile.TemporaryDirectory() as place:
        for what, rate, note in measured(Path(place)):
            lines.append(f"| {what} | {rate:,.0f} | {note} |")
            print(json.dumps([what, round(rate), note]), flush=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
