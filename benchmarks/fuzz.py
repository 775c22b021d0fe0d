"""Bytes that nobody meant, through reading and judging: `make fuzz`, guided by coverage (atheris).

    python -m benchmarks.fuzz FOLDER [libFuzzer's options, as -runs=100000 or -max_total_time=600]

FOLDER keeps what reached new code, from one run to the next; a new one begins with the messages of tests/corpus. An exception, an answer that
cannot be written as JSON, or more than five seconds for one input ends the run, and libFuzzer leaves the input in a file crash-... or timeout-...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["analyzer"]):
    from analyzer.classify import classify_reply
    from analyzer.explain import line
    from analyzer.parse import parse_message

HERE = Path(__file__).parents[1]
LARGEST = 8192  # bytes of a seed and of an input: larger ones belong to tests/analyzer/parse


def one(data: bytes) -> None:
    """One input, as a message and its beginning as a reply. Raises what is wrong."""
    report = parse_message(data)
    json.dumps(line("fuzz", report), ensure_ascii=False).encode("utf-8", "replace")
    repr(report.original)  # what is read when it is asked for
    classify_reply(data[:300].decode("utf-8", "replace"))


def seeds(folder: Path) -> None:
    """Fills a new folder with our own messages."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for n, path in enumerate(sorted((HERE / "tests" / "corpus").glob("*/*.eml"))):
            (folder / f"seed-{n:03}").write_bytes(path.read_bytes()[:LARGEST])


def main() -> None:
    """Fuzzes until told to stop."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    seeds(folder)
    atheris.Setup([sys.argv[0], f"-max_len={LARGEST}", "-timeout=5", f"-artifact_prefix={folder.parent}/", *sys.argv[2:], str(folder)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
