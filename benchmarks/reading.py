"""How fast reports are read, beside what Python people use for it: `make bench`.

The messages are those of a simulated month (DSNs in the forms of eleven systems, complaints, automatic replies), the same for each. Figures are CPU
time of one process, the median of three rounds; trust the ratios, not the absolute numbers.
"""

from __future__ import annotations

import email
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from flufl.bounce import all_failures

from analyzer.classify import classify
from analyzer.demo import write
from analyzer.model import FAILURES
from analyzer.parse import parse_message

SENDS, ROUNDS = 60_000, 3


def answer(message: bytes) -> None:
    """Mailhealth: who, what, why."""
    report = parse_message(message)
    for outcome in report.outcomes:
        if outcome.kind in FAILURES:
            classify(outcome, report)


def witness(message: bytes) -> None:
    """flufl.bounce: who."""
    all_failures(email.message_from_bytes(message))


def walk(message: bytes) -> None:
    """The standard library: the parts decoded, and nothing understood."""
    for part in email.message_from_bytes(message).walk():
        if not part.is_multipart():
            part.get_payload(decode=True)


def rate(read: Callable[[bytes], None], messages: list[bytes]) -> float:
    """Messages a CPU-second."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for message in messages:
            read(message)
        found.append(len(messages) / (time.process_time() - began))
    return statistics.median(found)


def main() -> None:
    """Prints messages a CPU-second, and how that compares."""
    with tempfile.TemporaryDirectory() as folder:
        messages = [mail.data for mail in write(Path(folder), 7, SENDS, until=date(2026, 11, 23)).mails]
    print(f"{len(messages):,} messages, {sum(map(len, messages)) / len(messages) / 1024:.1f} KB each on average")
    rates = {name: rate(read, messages) for name, read in (("mailhealth", answer), ("flufl.bounce", witness), ("email, walked", walk))}
    for name, found in rates.items():
        print(f"{name:16}{found:>8,.0f} messages a CPU-second{rates['mailhealth'] / found:>10.2f} = mailhealth / {name}")


if __name__ == "__main__":
    main()
