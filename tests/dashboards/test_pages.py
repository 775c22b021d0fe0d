"""Each page, over an empty store and over a simulated month, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dashboards
from tests.dashboards.conftest import PAGES


def run(page: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("MAILHEALTH_STORE", str(store))
    app = AppTest.from_file(str(Path(dashboards.__file__).parent / "app.py"), default_timeout=30).run()
    if page:
        app.switch_page(f"views/{page}.py").run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("page", PAGES)
def test_a_page_over_an_empty_store_says_what_is_missing(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run(page, tmp_path, monkeypatch)
    assert app.title[0].value == PAGES[page]
    assert page == "message" or app.info


def test_the_overview_shows_each_rate_with_its_n_and_interval(month: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run("", month, monkeypatch)
    app.selectbox(key="period").set_value("everything").run()
    cards = {m.label: m.value for m in app.metric}
    assert cards["Sent"] == "3,000"
    assert sum("of 3,000" in c.value and "% to " in c.value for c in app.caption) >= 3


def test_what_changed_by_more_than_chance_is_coloured_and_what_did_not_is_not(month: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions = [c.value for c in run("", month, monkeypatch).caption]
    assert any(":red[▲ before:" in c for c in captions), "the block came within the last two weeks"
    assert any("\nbefore: " in c for c in captions)


def test_sources_say_how_far_outcomes_were_attributed(month: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analyzer.metrics import Numbers, attributed

    total = attributed(Numbers.open(month).attribution())["total"].iloc[0]
    (said,) = [m.value for m in run("sources", month, monkeypatch).markdown if "attributed to a message" in m.value]
    assert said.startswith(f"Of {total:,} outcomes ") and "% to a message or at least a campaign, 0.00% to nothing." in said


def test_receivers_shows_what_each_counted_with_its_own_denominator(month: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run("receivers", month, monkeypatch)
    app.selectbox(key="period").set_value("everything").run()
    said = " ".join(h.body for h in app.get("html"))
    assert "messages with your domains in the From that 4 receivers saw" in said
    assert all(
        name in said for name in ("Google", "Yahoo", "Microsoft", "GMX &amp; web.de", "certificate expired", "no send log of ours knows")
    )
    captions = " ".join(c.value for c in app.caption)
    assert "Divided by messages that the reporting receivers saw" in captions and "Google does not tell how many" in captions
    assert len(app.get("arrow_vega_lite_chart")) + len(app.get("vega_lite_chart")) == 3
    assert not app.info and not app.multiselect
