"""Tracking links at the real server: the pixel, the signed redirect, and the unsubscription that no scanner makes by accident."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from analyzer.inbox import Inbox
from analyzer.metrics import Numbers
from analyzer.model import HIT, Capture, KeepFailed
from analyzer.pipeline import flush
from analyzer.sources import HttpSource, TableSource
from analyzer.store import Store
from analyzer.tokens import Keys, Maker, Token, Use
from collectors.base import SourceFailed
from collectors.http import HttpCollector
from collectors.http.page import WORDS, language
from collectors.http.tracking import GIF
from collectors.table import TableCollector
from tests.analyzer.test_tokens import TRICKS
from tests.servers import free_port, until
from tests.servers.http import PUBLIC, metric, tracking

KEYS = Keys.of(bytes(range(32)))
MAKER = Maker(KEYS, PUBLIC)
MESSAGE = ("n-1@shop.example", "anna@far.example")
TARGET = "https://shop.example/sale?colour=red&to=;~'()[]+%20%C3%BC#top"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def path(link: str) -> str:
    return link.removeprefix(PUBLIC)


PIXEL, LINK, PAGE = (path(link) for link in (MAKER.pixel(*MESSAGE), MAKER.link(*MESSAGE, TARGET), MAKER.unsubscribe(*MESSAGE)))


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """An empty inbox."""
    return Inbox(tmp_path / "i")


@pytest.fixture
def client(inbox: Inbox) -> Iterator[httpx.Client]:
    """A client of a receiver that keeps into the inbox."""
    with tracking(inbox.keep, KEYS) as client:
        yield client


def hits(inbox: Inbox) -> list[dict[str, Any]]:
    captures = [capture for _, capture in inbox.pending()]
    assert all(capture.media_type == HIT for capture in captures)
    return [json.loads(capture.data) for capture in captures]


def test_the_pixel_is_43_bytes_and_never_stored_and_the_open_is_kept(client: httpx.Client, inbox: Inbox) -> None:
    answer = client.get(
        PIXEL, headers={"User-Agent": "Mozilla/5.0", "Accept-Language": "de", "Cookie": "a=b", "X-Forwarded-For": "203.0.113.77"}
    )
    assert (answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]) == (200, "image/gif", "no-store")
    assert answer.content == GIF
    assert len(GIF) == 43
    assert "set-cookie" not in answer.headers
    (hit,) = hits(inbox)
    assert (hit["use"], hit["message_id"], hit["recipient"]) == ("open", MESSAGE[0], KEYS.recipient(MESSAGE[1]))
    assert (hit["method"], hit["user_agent"], hit["headers"]["accept-language"]) == ("GET", "Mozilla/5.0", "de")
    assert metric(client, "hits", use="open") == 1


def test_a_click_leads_to_exactly_what_was_signed(client: httpx.Client, inbox: Inbox) -> None:
    answer = client.get(LINK)
    assert (answer.status_code, answer.headers["location"], answer.headers["cache-control"]) == (302, TARGET, "no-store")
    assert "set-cookie" not in answer.headers
    assert [(h["use"], h["url"]) for h in hits(inbox)] == [("click", TARGET)]


def test_no_address_is_kept(client: httpx.Client, inbox: Inbox) -> None:
    for link in (PIXEL, LINK):
        client.get(link, headers={"X-Forwarded-For": "203.0.113.77"})
    client.post(PAGE, data=ONE_CLICK, headers={"X-Forwarded-For": "203.0.113.77"})
    kept = b"".join(capture.data for _, capture in inbox.pending())
    assert len(hits(inbox)) == 3
    for secret in (b"anna", b"far.example", b"203.0.113", b"127.0.0"):
        assert secret not in kept


@pytest.mark.parametrize(
    ("said", "prefix"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("6.6.6.6, 203.0.113.77", "203.0.113.0/24"),  # only the last is our proxy's word
        ("6.6.6.6; 203.0.113.77", "203.0.113.0/24"),  # in fields of their own
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("nonsense", "127.0.0.0/24"),
        ("", "127.0.0.0/24"),
    ],
)
def test_the_network_of_a_client_is_kept_only_on_wish(said: str, prefix: str, inbox: Inbox) -> None:
    with tracking(inbox.keep, KEYS, keep_prefix=True) as client:
        client.get(PIXEL, headers=[("X-Forwarded-For", line) for line in said.split("; ")])
    assert [hit["prefix"] for hit in hits(inbox)] == [prefix]


def test_another_client_is_another_open_and_the_same_one_in_the_same_second_is_not(client: httpx.Client, inbox: Inbox) -> None:
    while time.time() % 1 > 0.5:
        time.sleep(0.05)
    for _ in range(3):
        client.get(PIXEL, headers={"X-Forwarded-For": "203.0.113.77"})
    assert len(hits(inbox)) == 1
    client.get(PIXEL, headers={"X-Forwarded-For": "203.0.113.78"})
    client.get(PIXEL, headers={"X-Forwarded-For": "203.0.113.77", "User-Agent": "another"})
    assert len(hits(inbox)) == 3


def test_a_click_by_head_is_answered_and_said_to_be_one(client: httpx.Client, inbox: Inbox) -> None:
    assert client.head(LINK).headers["location"] == TARGET
    assert client.head(PIXEL).content == b""
    assert client.head(PAGE).status_code == 200
    assert [hit["method"] for hit in hits(inbox)] == ["HEAD", "HEAD"]


def test_nothing_leads_astray_not_even_what_our_own_key_signed(client: httpx.Client, inbox: Inbox) -> None:
    unsigned = urlsplit(LINK).path
    for url in TRICKS:
        token = KEYS.sign(Token(Use.CLICK, MESSAGE[0], KEYS.recipient(MESSAGE[1])), url)
        answers = [client.get(f"{link}?u={quote(url, safe='')}") for link in (f"/c/{token}", unsigned)]
        assert [(a.status_code, a.headers.get("location")) for a in answers] == [(404, None)] * 2, url
    assert hits(inbox) == []


CHANGED = [
    LINK[:-1], LINK + "x", LINK.replace("shop", "evil"), LINK.split("?")[0], LINK + "&u=https://evil.example", LINK.replace("?u=", "?u=https://evil.example&u="),
    LINK.replace("?u=", "?v="), LINK.replace("?u=", "/?u="), LINK.replace("/c/", "/o/"), PIXEL.replace("/o/", "/c/").replace(".gif", f"?u={quote(TARGET, safe='')}"),
    PIXEL[:-4], PIXEL[:-5] + ".gif", PIXEL.replace("/o/", "/u/").removesuffix(".gif"), PAGE.replace("/u/", "/o/") + ".gif", PAGE[:-1], PAGE + "A", PAGE + "/",
    "/u/", "/u/x", "/c/x?u=https://shop.example/", "/o/.gif", "/o/%00.gif", "/u/..%2f", "//evil.example/u/x", "//evil.example/%2e%2e/", "/c/%ff?u=%ff",
]  # fmt: skip


def test_a_token_that_was_changed_or_is_of_another_use_is_not_found(client: httpx.Client, inbox: Inbox) -> None:
    for link in CHANGED:
        url = f"{str(client.base_url).rstrip('/')}{link}"
        answers = [client.get(url), client.post(url, data=ONE_CLICK)]
        assert [a.status_code for a in answers] in ([404, 404], [404, 405]), link
        assert [a.headers.get("location") for a in answers] == [None, None], link
    assert hits(inbox) == []


def test_a_token_of_another_key_is_not_found(client: httpx.Client, inbox: Inbox) -> None:
    other = Maker(Keys.of(bytes(32)), PUBLIC)
    for link in (other.pixel(*MESSAGE), other.link(*MESSAGE, TARGET), other.unsubscribe(*MESSAGE)):
        assert client.get(path(link)).status_code == 404
    assert client.post(path(other.unsubscribe(*MESSAGE)), data=ONE_CLICK).status_code == 404
    assert hits(inbox) == []
    assert metric(client, "refused", provider="tracking", reason="token") == 4


def test_to_look_at_the_page_of_unsubscription_changes_nothing(client: httpx.Client, inbox: Inbox) -> None:
    for ask in (client.get, client.head, client.options, client.put, client.delete, partial(client.get, params=ONE_CLICK)):
        ask(PAGE)
    assert hits(inbox) == []


URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"List-Unsubscribe=One-Click", URLENCODED),
        (b"List-Unsubscribe=One-Click", ""),
        (b"List-Unsubscribe=One-Click\r\n", URLENCODED + "; charset=UTF-8"),
        (b"list-unsubscribe=one-click&x=y", URLENCODED),
        (b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n', MULTIPART),
    ],
)
def test_one_click_unsubscribes_however_it_is_written(body: bytes, kind: str, client: httpx.Client, inbox: Inbox) -> None:
    answer = client.post(PAGE, content=body, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert [hit["use"] for hit in hits(inbox)] == ["unsubscribe"]


def test_a_post_that_does_not_say_so_is_asked_first(client: httpx.Client, inbox: Inbox) -> None:
    for body in (b"", b"a=b", b"List-Unsubscribe", b"List-Unsubscribe=Later", b"{}"):
        answer = client.post(PAGE, content=body)
        assert (answer.status_code, WORDS["en"].ask in answer.text) == (400, True)
    assert client.post(PAGE, content=b"x" * 20_000).status_code == 413
    assert client.post(PAGE, data=ONE_CLICK, headers={"Content-Encoding": "gzip"}).status_code == 415
    assert hits(inbox) == []


def test_the_page_has_no_cookie_no_script_and_loads_nothing(client: httpx.Client) -> None:
    answer = client.get(PAGE)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert "<script" not in answer.text
    assert "http" not in answer.text
    # nothing of the request stands in it
    assert PAGE.rpartition("/")[2] not in answer.text


LANGUAGES = {
    "": "en", "de": "de", "de-AT,de;q=0.9,en;q=0.8": "de", "pl,fr;q=0.5,en;q=0.3": "fr", "en;q=0.2,es-MX;q=0.9": "es", "it-CH": "it", "IT": "it",
    "*": "en", "de;q=0,it;q=0.1": "it", "de;q=x,fr": "fr", "de;q=nan,fr": "fr", "zh": "en", ";;,,q=1": "en", "de" * 9999: "en",
}  # fmt: skip


def test_the_page_speaks_the_readers_language(client: httpx.Client) -> None:
    for accepted, name in LANGUAGES.items():
        assert language(accepted) == name
        answer = client.get(PAGE, headers={"Accept-Language": accepted})
        assert answer.headers["content-language"] == name
        assert f'<html lang="{name}">' in answer.text
        assert f"<button>{WORDS[name].button}</button>" in answer.text


class Broken:
    """An inbox whose disk is full, or slow."""

    def __init__(self, inbox: Inbox, full: bool = True, seconds: float = 0.0) -> None:
        self.inbox, self.full, self.seconds = inbox, full, seconds

    def __call__(self, captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        time.sleep(self.seconds)
        if self.full:
            raise KeepFailed("the disk is full")
        return self.inbox.keep(captures, cursor)


def test_a_full_disk_costs_the_reader_nothing_and_is_counted(inbox: Inbox) -> None:
    keep = Broken(inbox)
    with tracking(keep, KEYS) as client:
        assert client.get(LINK).headers["location"] == TARGET
        assert client.get(PIXEL).content == GIF
        assert (metric(client, "hits_lost", use="click"), metric(client, "hits_lost", use="open")) == (1, 1)
        # an unsubscription is not lost: whoever asked is told to come again
        answer = client.post(PAGE, data=ONE_CLICK)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert WORDS["en"].later in answer.text
        keep.full = False
        assert client.post(PAGE, data=ONE_CLICK).status_code == 200
    assert [hit["use"] for hit in hits(inbox)] == ["unsubscribe"]


def test_a_fault_of_ours_costs_the_reader_nothing(inbox: Inbox) -> None:
    def keep(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        raise ZeroDivisionError

    with tracking(keep, KEYS) as client:
        assert client.get(LINK).status_code == 302
        assert client.post(PAGE, data=ONE_CLICK).status_code == 503
        assert metric(client, "hits_lost", use="click") == 1


def test_a_slow_disk_keeps_a_reader_a_second_and_the_click_is_kept_all_the_same(inbox: Inbox) -> None:
    with tracking(Broken(inbox, full=False, seconds=2.5), KEYS) as client:
        start = time.monotonic()
        assert client.get(LINK).status_code == 302
        assert 0.9 < time.monotonic() - start < 2
        until(lambda: metric(client, "hits", use="click") == 1, 10, "the commit")
        start = time.monotonic()
        assert client.post(PAGE, data=ONE_CLICK).status_code == 200
        assert time.monotonic() - start > 2.4  # an unsubscription waits until it is durable
    assert [hit["use"] for hit in hits(inbox)] == ["click", "unsubscribe"]


def test_a_click_that_was_not_waited_for_is_kept_when_the_server_stops(inbox: Inbox) -> None:
    with tracking(Broken(inbox, full=False, seconds=2), KEYS) as client:
        assert client.get(LINK).status_code == 302
    assert [hit["use"] for hit in hits(inbox)] == ["click"]


def test_without_the_table_nothing_is_answered_and_without_a_key_nothing_is_served(inbox: Inbox) -> None:
    with tracking(inbox.keep, KEYS) as client:
        assert client.post("/webhooks/tracking", content=b"{}").status_code == 404
        assert client.get("/webhooks/tracking").status_code == 405
    source = {"type": "http", "port": free_port()}
    for more in ({}, {"tracking": {"url": PUBLIC}}):
        with pytest.raises(SourceFailed):
            HttpCollector("hooks", HttpSource.model_validate(source | more)).watch(inbox.keep, dict, threading.Event())


@pytest.mark.browser
@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_person_presses_the_button(chromium: Any, client: httpx.Client, inbox: Inbox, locale: str) -> None:
    words = WORDS[locale[:2]]
    context = chromium.new_context(viewport={"width": 360, "height": 640}, locale=locale, java_script_enabled=False)
    asked, complaints = [], []
    page = context.new_page()
    page.on("request", lambda request: asked.append((request.method, urlsplit(request.url).path)))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(str(client.base_url.join(PAGE)))
    button = page.get_by_role("button", name=words.button)
    assert page.get_by_role("heading", name=words.title).is_visible()
    assert button.bounding_box()["height"] >= 44
    assert button.evaluate("b => getComputedStyle(b).backgroundColor") == "rgb(11, 87, 208)"  # the policy lets our style through
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert hits(inbox) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    assert page.get_by_role("status").inner_text() == words.done
    assert asked == [("GET", PAGE), ("POST", PAGE)]
    assert (context.cookies(), complaints) == ([], [])
    assert [hit["use"] for hit in hits(inbox)] == ["unsubscribe"]
    context.close()


def test_from_the_maker_to_the_numbers(tmp_path: Path) -> None:
    """Ten messages were sent and accepted. Of some, people or machines open, click and unsubscribe, each more than once."""
    store = Store(tmp_path / "s")
    maker = Maker(Keys.of(store.key).text(), PUBLIC)
    sent = [(f"n-{n}@shop.example", f"u{n}@far.example") for n in range(10)]
    for kind in ("sent", "delivered"):
        table = tmp_path / f"{kind}.csv"
        table.write_text("message_id,recipient,at\n" + "".join(f"<{m}>,{r},{time.time() - 60:.0f}\n" for m, r in sent))
        source = TableSource.model_validate({"type": "table", "path": table, "kind": kind})
        TableCollector(kind, source).collect(store.inbox.keep, partial(store.inbox.cursor, kind))
    person = {
        "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
    }
    apple, gmail = {"User-Agent": "Mozilla/5.0"}, {"User-Agent": "Firefox/11.0 (via ggpht.com GoogleImageProxy)"}
    with tracking(store.inbox.keep, Keys.of(store.key)) as client:
        for n, agent in enumerate((person, person, apple, apple, gmail, person)):
            assert client.get(path(maker.pixel(*sent[n])), headers=agent).status_code == 200
        client.get(path(maker.pixel(*sent[0])), headers=apple)
        for n, agent in enumerate((person, person, {"User-Agent": "Barracuda"}, {"User-Agent": ""}, person | {"Sec-Purpose": "prefetch"})):
            assert client.get(path(maker.link(*sent[n], TARGET)), headers=agent).status_code == 302
        assert client.head(path(maker.link(*sent[5], TARGET)), headers=person).status_code == 302
        for n in (0, 0, 1):
            assert client.post(path(maker.unsubscribe(*sent[n])), data=ONE_CLICK).status_code == 200
        client.get(path(maker.unsubscribe(*sent[2])))
    assert flush(store).unreadable == 0
    names = ["sent", "accepted", "open", "open_up_to", "open_raw", "open_machine", "click", "unsubscribe"]
    numbers = Numbers(store)
    found = numbers.measure(names).set_index("metric")["numerator"].to_dict()
    assert found == {"sent": 10, "accepted": 10, "open": 3, "open_up_to": 4, "open_raw": 6, "open_machine": 2, "click": 2, "unsubscribe": 2}
    ways = {(r["source"], r["way"]) for r in numbers.attribution().to_dict("records")}
    assert ways == {("delivered", "message-id"), ("hooks", "message-id")}
