"""A collector that promises nothing is none: each that is registered has tests of the contract."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from collectors import COLLECTORS
from collectors.testing import CollectorContract


def test_each_registered_collector_has_tests_of_the_contract() -> None:
    for file in Path(__file__).parent.glob("test_*.py"):
        import_module(f"tests.collectors.{file.stem}")
    tried = {c.type for c in kinds(CollectorContract) if c.__name__.startswith("Test") and c.__module__.startswith("tests.collectors.")}
    assert tried == set(COLLECTORS)


def kinds(contract: type[CollectorContract]) -> Iterator[type[CollectorContract]]:
    for kind in contract.__subclasses__():
        yield kind
        yield from kinds(kind)


CONFTEST = """
import sys
from importlib.util import module_from_spec, spec_from_file_location

import analyzer.sources
import collectors

exec(open("sources.py").read(), vars(analyzer.sources))
collectors.COLLECTORS |= {REGISTRY}
spec = spec_from_file_location("collectors.spool", "spool.py")
sys.modules["collectors.spool"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
"""


def test_the_example_of_the_documentation_passes_as_it_stands_there(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "adding-a-collector.md").read_text(encoding="utf-8")
    source, collector, registry, tests = re.findall(r"```python\n(.*?)```", text, re.S)
    files = {"sources.py": source, "spool.py": collector, "test_spool.py": tests, "conftest.py": CONFTEST.replace("REGISTRY", registry)}
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert "7 passed" in ran.stdout
