"""How fast reports are read, beside what Python people use for it: `make bench` writes RESULTS.md.

The messages are those of a simulated month (DSNs in the forms of eleven systems, complaints, automatic replies), or those of the folder that
MAILHEALTH_BENCH names; the same for all. Figures are CPU time, the median of ROUNDS; trust the ratios, not the absolute numbers.
"""

from __future__ import annotations

import contextlib
import email
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from itertools import cycle
from pathlib import Path

from flufl.bounce import all_failures

from analyzer.classify import _verdict
from analyzer.demo import write
from analyzer.explain import answer
from analyzer.model import MESSAGE, Capture
from analyzer.parse import parse_message

SENDS, MOST, ROUNDS = 60_000, 3000, 5
MBOX = 1_000_000_000  # bytes
FOLDER = "MAILHEALTH_BENCH"
RESULTS = Path(__file__).with_name("RESULTS.md")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
Reader = Callable[[bytes], object]


def full_answer(message: bytes) -> object:
    """Mailhealth: who, what, why, as a line of `mailhealth classify --format jsonl`."""
    return json.dumps(answer("message", Capture(message, MESSAGE, "bench", NOW)), ensure_ascii=False)


def witness(message: bytes) -> object:
    """flufl.bounce: who."""
    with contextlib.suppress(Exception):  # it raises on some
        return all_failures(email.message_from_bytes(message))
    return None


def walk(message: bytes) -> object:
    """The standard library: the parts decoded, and nothing understood."""
    with contextlib.suppress(Exception):
        return [part.get_payload(decode=True) for part in email.message_from_bytes(message).walk() if not part.is_multipart()]
    return None


READERS: dict[str, Reader] = {"Mailhealth, full answers": full_answer, "flufl.bounce, who": witness, "email, parts decoded": walk}


def messages() -> list[bytes]:
    """The messages, each once."""
    folder = os.environ.get(FOLDER)
    if folder:
        return [file.read_bytes() for file in sorted(Path(folder).rglob("*.eml"))]
    with tempfile.TemporaryDirectory() as place:
        mails = [mail.data for mail in write(Path(place), 7, SENDS, until=date(2026, 11, 23)).mails]
    return mails[:: max(1, len(mails) // MOST)]


def rate(read: Reader, mails: list[bytes]) -> float:
    """Messages a CPU-second; no verdict is remembered from the round before."""
    found = []
    for _ in range(ROUNDS):
        _verdict.cache_clear()
        began = time.process_time()
        for message in mails:
            read(message)
        found.append(len(mails) / (time.process_time() - began))
    return statistics.median(found)


def throughput(title: str, mails: list[bytes]) -> Iterable[str]:
    """A table of messages a CPU-second, and how many times that Mailhealth reads."""
    size = sum(map(len, mails)) / len(mails) / 1024
    yield f"\n## {title}: {len(mails):,} messages, {size:.1f} KB each on average\n\n| | messages a CPU-second | Mailhealth is so many times as fast |\n|---|---:|---:|"
    rates = {name: rate(read, mails) for name, read in READERS.items()}
    ours = next(iter(rates.values()))
    for name, found in rates.items():
        yield f"| {name} | {found:,.0f} | {ours / found:.1f} |"


# a child's peak begins with what its parent holds: this one holds little
_LAUNCH = """import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)"""


def run(path: Path, processes: int) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of all its processes and peak MB of the largest of `mailhealth classify`."""
    command = [sys.executable, "-m", "analyzer", "classify", str(path), "--format", "jsonl", "--processes", str(processes)]
    began = time.monotonic()
    told = subprocess.run([sys.executable, "-c", _LAUNCH, *command], check=True, capture_output=True, text=True)
    wall = time.monotonic() - began
    code, cpu, peak = told.stdout.split()
    if code != "0":
        raise SystemExit(f"{' '.join(command)}: ended with {code}: {told.stderr[-500:]}")
    return wall, float(cpu), int(peak) / (1024 if sys.platform == "linux" else 1024**2)


def fill(path: Path, mails: list[bytes], size: int) -> int:
    """Writes an mbox of a size; returns how many messages it has."""
    count = 0
    with path.open("wb") as file:
        for message in cycle(mails):
            if file.tell() >= size:
                return count
            body = message.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
            file.write(b"From MAILER-DAEMON Mon Nov  9 10:00:00 2026\n" + body + b"\n\n")
            count += 1
    return count


def files(mails: list[bytes]) -> Iterable[str]:
    """Two tables: one process and two; a large mbox."""
    yield "\n## `mailhealth classify`, an mbox\n\n| size, processes | messages | seconds | CPU seconds | peak MB of one process |\n|---|---:|---:|---:|---:|"
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "bench.mbox"
        for size, processes in ((MBOX // 10, 1), (MBOX // 10, 2), (MBOX, 1), (MBOX, 2)):
            count = fill(path, mails, size)
            wall, cpu, peak = run(path, processes)
            yield f"| {size / 1e6:,.0f} MB, {processes} | {count:,} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |"


def main() -> None:
    """Writes RESULTS.md, and prints it as it grows."""
    logging.getLogger("flufl.bounce").disabled = True  # it logs what it raises
    mails = messages()
    reports = [mail for mail in mails if parse_message(mail).parser == "dsn"]
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; {date.today():%d %B %Y}"
    source = "a folder of real messages" if os.environ.get(FOLDER) else "the messages of a simulated month"
    lines = [f"# How fast reports are read\n\nWritten by `make bench`: {source}. {where}. CPU time in one run; trust the ratios."]
    print(lines[0])
    for line in (*throughput("Delivery status notifications", reports), *throughput("All messages", mails), *files(mails)):
        print(line, flush=True)
        lines.append(line)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
