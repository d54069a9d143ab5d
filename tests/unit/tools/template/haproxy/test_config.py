"""HAProxy's files taken apart: words, sections, servers and what they inherit."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.haproxy.config import Unreadable, decode, parse, tokenise


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ()),
        ("   # nothing but a comment", ()),
        ("\tbalance  roundrobin\r", ("balance", "roundrobin")),
        ("server a 1.2.3.4:80#comment", ("server", "a", "1.2.3.4:80")),
        (r"errorfile 503 /a\ b\#c", ("errorfile", "503", r"/a\ b\#c")),
        ("acl x hdr(host) 'a # b' \"c # d\"", ("acl", "x", "hdr(host)", "'a # b'", '"c # d"')),
        ('log-format "a \\"b\\" c"d', ("log-format", '"a \\"b\\" c"d')),
        ("a '\\' b", ("a", "'\\'", "b")),
    ],
)
def test_the_words_of_a_line(line: str, words: tuple[str, ...]) -> None:
    assert tokenise(line) == words


@pytest.mark.parametrize("line", ["a 'b", 'a "b', 'a "b\\"', "a\\", 'server "s${.LINE}" 1.2.3.4:80'])
def test_unparsable_files(line: str) -> None:
    with pytest.raises(Unreadable, match="line 7"):
        tokenise(line, 7)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("plain", "plain"),
        (r"a\ b\\c", r"a b\c"),
        ("'a b'", "a b"),
        ('"a b"c', "a bc"),
        ('"$HOME"', '"$HOME"'),
        ("'$HOME'", "$HOME"),
        (r"\x41", r"\x41"),
        ("", ""),
    ],
)
def test_the_meaning_of_a_word(word: str, text: str) -> None:
    assert decode(word) == text


@given(st.lists(st.text(st.characters(exclude_characters="'\n", codec="utf-8"), min_size=1)))
def test_quoted_words_come_back(texts: list[str]) -> None:
    line = " ".join(f"'{text}'" for text in texts)
    if "${." not in line and "$." not in line:
        assert [decode(word) for word in tokenise(line)] == texts


@given(st.text())
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    with contextlib.suppress(Unreadable):
        parse([text])


FILE = """\
global
    maxconn 10
defaults first
    default-server inter 5s
    mode http
defaults second from first
    default-server check
frontend web
    bind :80
    default_backend one
backend one from second
    server a 1.2.3.4:80 weight 5
    default-server rise 1
    server 'b' 1.2.3.4:81
listen two
    server a 1.2.3.4:80
peers others
    server p 1.2.3.4:1024
"""


def test_sections_and_servers() -> None:
    sections = parse([FILE])
    assert [section.title for section in sections] == [
        *("global", "defaults first", "defaults second", "frontend web", "backend one", "listen two", "peers others")
    ]
    a, b = sections[4].servers
    assert (a.key, a.address, a.words) == ("one/a", "1.2.3.4:80", ("weight", "5"))
    assert a.inherited == ("inter", "5s", "check")
    assert (b.key, b.inherited) == ("one/b", ("inter", "5s", "check", "rise", "1"))
    assert sections[5].servers[0].inherited == ("inter", "5s", "check")
    assert sections[6].servers == []
    assert sections[6].lines == [("server", "p", "1.2.3.4:1024")]
    assert ("mode", "http") in sections[4].all_lines()


def test_the_latest_defaults_hold_also_in_the_next_file() -> None:
    sections = parse(["defaults\n mode tcp\n default-server check\n", "backend b\n server a 1.2.3.4:80\n"])
    assert sections[1].servers[0].inherited == ("check",)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["maxconn 10\n"], "outside of a section"),
        (["global\n", "maxconn 10\n"], "outside of a section"),
        (["global\n.if defined(X)\n maxconn 10\n.endif\n"], "condition"),
        (["backend b from nothing\n"], "no such defaults"),
        (["backend b\n server a\n"], "without an address"),
    ],
)
def test_mistakes_that_are_left_to_haproxy(texts: list[str], words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        parse(texts)
