"""Tokens: what we signed is read back, and nothing else; no address is in them, and they fit where they must."""

from __future__ import annotations

import base64
import re
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.model import ConfigError
from analyzer.record import recipient_key
from analyzer.tokens import MOST_ID, Keys, Maker, Token, Use, is_target

STORE_KEY = bytes(range(32))
KEYS = Keys.of(STORE_KEY)
ANNA = "anna@far.example"
TARGET = "https://shop.example/sale?colour=red&size=38#top"
TOKEN = Token(Use.UNSUBSCRIBE, "n-1@shop.example", KEYS.recipient(ANNA))
TRICKS = [
    "//evil.example/", "\\\\evil.example\\", "/\\evil.example", "https:\\\\evil.example", "https:/evil.example", "https:evil.example", "https:///evil.example",
    "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
    "ftp://shop.example/", "blob:https://shop.example/1", "view-source:https://shop.example/", "mailto:anna@far.example",
    "https://shop.example@evil.example/", "https://shop.example:443@evil.example/", "https://user:pass@shop.example/", "https://@evil.example/",
    "https://evil.example\\@shop.example/", "https://shop.example\\.evil.example/", "https://shop.example%40evil.example/", "https://shop.example%2f@evil.example/",
    "https://shop.example/\r\nSet-Cookie: a=b", "https://shop.example/\nLocation: https://evil.example", "https://shop.example/\0", "https://shop.example/\x7f",
    " https://shop.example/", "https://shop.example/ ", "\x01https://shop.example/", "https://shop.example/a b", "https://shop.exa\tmple/",
    "https://sh\u043ep.example/", "https://shop\u3002example/", "https://\uff53hop.example/", "https://shop.example/\u202egpj.exe", "https://shop.example/ü",
    "https://", "https://.example/", "https://shop..example/", "https://-shop.example/", "https://intranet/", "https://2130706433/", "https://shop.example:123456/",
    "https://shop.example:/", "https://[evil.example]/", "https://[::1/", "https://shop.example/<script>", 'https://shop.example/"onload=', "", "https://shop.example/" + "a" * 2000,
]  # fmt: skip


def test_what_was_signed_is_read_back_and_holds_no_address() -> None:
    for use in Use:
        token = TOKEN._replace(use=use)
        text = KEYS.sign(token)
        assert KEYS.read(text) == KEYS.read(text, use) == token
        assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
        assert b"anna" not in base64.urlsafe_b64decode(text + "==")
        assert b"far.example" not in base64.urlsafe_b64decode(text + "==")


def test_each_flipped_bit_is_refused() -> None:
    text = KEYS.sign(TOKEN)
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    flipped = [raw[:n] + bytes([raw[n] ^ 1 << bit]) + raw[n + 1 :] for n in range(len(raw)) for bit in range(8)]
    assert [f for f in flipped if KEYS.read(base64.urlsafe_b64encode(f).rstrip(b"=").decode())] == []


def test_each_other_spelling_is_refused() -> None:
    """The last character of base64 may hold bits that decoding drops; then a second text would be the same token."""
    for use, name in ((Use.OPEN, "n-1@shop.example"), (Use.OPEN, "n-12@shop.example"), (Use.OPEN, "n-123@shop.example")):
        text = KEYS.sign(TOKEN._replace(use=use, message_id=name))
        others = {text[:n] + chr(ord(text[n]) ^ 1 << bit) + text[n + 1 :] for n in range(len(text)) for bit in range(7)}
        others |= {
            text + "=",
            text + "==",
            text + "A",
            text[:-1],
            " " + text,
            text + "\n",
            text.upper(),
            text.lower(),
            text[:8] + "\n" + text[8:],
        }
        assert [other for other in others if other != text and KEYS.read(other)] == []


def test_a_token_of_another_use_or_another_key_is_refused() -> None:
    text = KEYS.sign(TOKEN)
    assert KEYS.read(text, Use.OPEN) is None
    assert KEYS.read(text, Use.CLICK) is None
    assert Keys.of(bytes(32)).read(text) is None
    assert Keys(KEYS.hashing, bytes(32)).read(text) is None
    # the number of the use changed by hand
    assert KEYS.read("EP" + text[2:], Use.OPEN) is None


@given(st.text(max_size=600) | st.binary(max_size=300).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_reading_is_total_and_finds_nothing_in_noise(text: str) -> None:
    assert KEYS.read(text) is None
    assert KEYS.read_verp(text) is None
    assert KEYS.read_verp(f"bounces+{text}@shop.example") is None


def test_a_click_covers_its_target_to_the_character() -> None:
    link = Maker(KEYS, "https://t.shop.example").link("<n-1@shop.example>", ANNA, TARGET)
    parts = urlsplit(link)
    text = parts.path.rpartition("/")[2]
    assert parse_qs(parts.query)["u"] == [TARGET]
    assert KEYS.read(text, Use.CLICK, TARGET) == TOKEN._replace(use=Use.CLICK)
    for other in ("", TARGET[:-1], TARGET + "x", TARGET.replace("shop", "evil"), TARGET.replace("https", "http")):
        assert KEYS.read(text, Use.CLICK, other) is None


def test_what_belongs_to_the_message_id_cannot_be_moved_into_the_url() -> None:
    assert (
        KEYS.sign(Token(Use.CLICK, "a@b", TOKEN.recipient), "c")[24:48] != KEYS.sign(Token(Use.CLICK, "a@bc", TOKEN.recipient), "")[24:48]
    )


@pytest.mark.parametrize("url", TRICKS)
def test_no_link_leads_where_two_programs_could_disagree(url: str) -> None:
    assert not is_target(url)
    with pytest.raises(ValueError, match="a link leads to http"):
        Maker(KEYS, "https://t.shop.example").link("n-1@shop.example", ANNA, url)


@pytest.mark.parametrize("url", [
    TARGET, "http://shop.example", "https://shop.example?a=b", "https://xn--bcher-kva.example/%C3%BC", "https://shop.example:8443/a;b/@c?to=https://x@y/",
    "HTTPS://Shop.Example/", "https://93.184.216.34/", "https://[2001:db8::1]/", "http://localhost:8080/",
])  # fmt: skip
def test_ordinary_addresses_may_be_led_to(url: str) -> None:
    assert is_target(url)


def test_the_recipient_is_the_one_of_the_lake_however_he_is_spelled() -> None:
    assert KEYS.recipient(" <Anna@FAR.example> ") == recipient_key(STORE_KEY, ANNA)[0]
    assert KEYS.recipient("anna@b\u00fccher.example") == recipient_key(STORE_KEY, "Anna@xn--bcher-kva.example")[0]


def test_the_printed_key_suffices_and_does_not_tell_the_stores() -> None:
    text = KEYS.text()
    assert Keys.parse(f"  {text}\n") == KEYS
    both = base64.urlsafe_b64decode(text.partition(":")[2])
    assert STORE_KEY[:8] not in both
    assert both[:32] != both[32:]
    assert "signing" not in repr(KEYS)
    for damaged in ("", text[:-8], text[1:], text.partition(":")[2], text + "AAAA", "mailhealth-tokens-1:\u00fc"):
        with pytest.raises(ConfigError, match="mailhealth tokens key"):
            Keys.parse(damaged)


@pytest.mark.parametrize("name", ["", "<>", "a b@c", "a\r\nb@c", "a" * (MOST_ID + 1), "\u00fc" * MOST_ID, "\ud800@c"])
def test_a_message_id_that_fits_into_no_token_is_told(name: str) -> None:
    with pytest.raises(ValueError):
        Maker(KEYS, "https://t.shop.example").pixel(name, ANNA)


def test_the_longest_token_is_read() -> None:
    token = TOKEN._replace(message_id="\u00fc" * (MOST_ID // 2))
    assert KEYS.read(KEYS.sign(token)) == token


@pytest.mark.parametrize("url", ["", "t.shop.example", "https://t.shop.example/?a", "javascript:x", "https://a@t.shop.example"])
def test_the_receiver_must_have_an_address(url: str) -> None:
    with pytest.raises(ValueError, match="public address"):
        Maker(KEYS, url)


@pytest.mark.parametrize("envelope_id", ["n-1", "0b9d7a52-6f1e-4d6c-9d53-3f0c2f6c7a11", "a.b_c-d", "7", "-"])
def test_verp_tells_the_envelope_id_whatever_became_of_its_capitals(envelope_id: str) -> None:
    made = KEYS.verp(envelope_id, "bounces.shop.example")
    local, _, domain = made.rpartition("@")
    assert (len(local) <= 64, domain) == (True, "bounces.shop.example")
    assert made.startswith(f"bounces+{envelope_id}-")
    assert KEYS.read_verp(made) == KEYS.read_verp(made.upper()) == KEYS.read_verp(made.title()) == envelope_id
    assert KEYS.read_verp(made.replace("bounces+", "b+c+").replace("shop", "store")) == envelope_id


def test_a_verp_address_that_was_changed_is_none() -> None:
    made = KEYS.verp("n-1", "shop.example")
    at = made.index("@")
    for n in range(len("bounces+"), at):
        assert KEYS.read_verp(made[:n] + ("b" if made[n] != "b" else "c") + made[n + 1 :]) is None
    for other in (
        made[:at],
        made.replace("+", "-"),
        Keys.of(bytes(32)).verp("n-1", "shop.example"),
        "bounces+anna=far.example@shop.example",
    ):
        assert KEYS.read_verp(other) is None


@pytest.mark.parametrize("envelope_id", ["", "N-1", "a b", "a@b", "a..b", ".a", "a" * 40, "\u00e4"])
def test_an_envelope_id_that_would_not_come_back_whole_is_told(envelope_id: str) -> None:
    with pytest.raises(ValueError):
        KEYS.verp(envelope_id, "shop.example")


def test_the_headers_of_one_click_survive_the_mail_library() -> None:
    fields = Maker(KEYS, "https://t.shop.example/").unsubscribe_headers("n-1@shop.example", ANNA, "leave+now@shop.example")
    page, mailto = (way.strip("<> ") for way in fields["List-Unsubscribe"].split(","))
    token = page.removeprefix("https://t.shop.example/u/")
    assert KEYS.read(token, Use.UNSUBSCRIBE) == TOKEN
    assert mailto == f"mailto:leave+now@shop.example?subject=unsubscribe%20{token}"
    assert fields["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    mail = EmailMessage(policy=SMTP.clone(max_line_length=998))
    for name, value in fields.items():
        mail[name] = value
    assert f"List-Unsubscribe: {fields['List-Unsubscribe']}\r\n".encode() in mail.as_bytes()


HTML = """<!DOCTYPE html>\r
<!--[if mso]><a href="https://shop.example/mso">x</a><![endif]-->
<style>a[href="https://shop.example/css"] { color: red }</style>
<p>5 < 6 &amp; 7 &copy 2026 <A CLASS='big' HREF='https://shop.example/a?b=1&amp;c=2' data-x>one</A>
<a href=https://shop.example/bare>two</a><area
  href="  http://shop.example/map  " /> <a href="mailto:a@b.example">m</a> <a href="#top">t</a> <a name="top"></a>
<a href="{{ link }}">later</a> <a href="https://t.shop.example/u/x">leave</a> <a href="javascript:x()">j</a> <img src="https://shop.example/p.png">
<a href="https://shop.example/ü">not ascii</a><a title="a>b" href="https://shop.example/last">\u00fcber</a></p>"""


def test_links_of_an_html_text_tell_of_clicks_and_all_else_stays() -> None:
    maker = Maker(KEYS, "https://t.shop.example")

    def href(url: str) -> str:
        return f'href="{maker.link("n-1@shop.example", ANNA, url)}"'

    expected = HTML
    for before, after in {
        "<A CLASS='big' HREF='https://shop.example/a?b=1&amp;c=2' data-x>": f'<a class="big" {href("https://shop.example/a?b=1&c=2")} data-x>',
        "<a href=https://shop.example/bare>": f"<a {href('https://shop.example/bare')}>",
        '<area\n  href="  http://shop.example/map  " />': f"<area {href('http://shop.example/map')} />",
        '<a title="a>b" href="https://shop.example/last">': f'<a title="a&gt;b" {href("https://shop.example/last")}>',
    }.items():
        assert before in expected
        expected = expected.replace(before, after)
    assert maker.rewrite(HTML, "<n-1@shop.example>", ANNA) == expected


@pytest.mark.parametrize(
    "html", ["", "plain text", "<a href", "<a href='https://shop.example/", "<", "<!--", "<script>'<a href=\"https://shop.example/\">'"]
)
def test_what_has_no_whole_link_stays(html: str) -> None:
    assert Maker(KEYS, "https://t.shop.example").rewrite(html, "n-1@shop.example", ANNA) == html
