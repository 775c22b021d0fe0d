"""What came and what became of it, in Prometheus' text format. Source: Prometheus documentation, "Exposition formats"."""

from __future__ import annotations

from collections import Counter

HELP = {
    "received": "requests that came to an address we serve",
    "acknowledged": "requests that were kept and answered with 200",
    "kept": "captures that were new; the same body again is acknowledged and changes nothing",
    "refused": "requests that were not kept, by reason",
    "unknown_events": "events with a name that we do not know, or that could not be read; they are kept",
    "hits": "opens, clicks and unsubscriptions by links of our own that were kept",
    "hits_lost": "opens and clicks that were answered and could not be kept",
}


class Counters:
    """Counts since the start. To be used in one thread."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def add(self, name: str, count: int = 1, **labels: str) -> None:
        """Counts; `name` is one of HELP."""
        self._counts[name, tuple(sorted(labels.items()))] += count

    def text(self) -> str:
        """All counters."""
        lines: list[str] = []
        for name, said in HELP.items():
            lines += [f"# HELP mailhealth_http_{name}_total {said}", f"# TYPE mailhealth_http_{name}_total counter"]
            for (counted, labels), count in sorted(self._counts.items()):
                if counted == name:
                    # values are names of our own, in which nothing has to be escaped
                    told = ",".join(f'{label}="{value}"' for label, value in labels)
                    lines.append(f"mailhealth_http_{name}_total{{{told}}} {count}" if told else f"mailhealth_http_{name}_total {count}")
        return "\n".join(lines) + "\n"
