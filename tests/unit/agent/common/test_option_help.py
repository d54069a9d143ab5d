"""Help texts have one layout in all programs."""

from __future__ import annotations

from signal import Signals
from typing import Any

import pytest

from pyconsul.agent.common.option_help import option_rows, option_text, render_help
from pyconsul.agent.common.options import TEXT, Kind, Option, number, pairs, seconds, switch, text


def test_a_whole_text() -> None:
    options = (
        text("format", "How to print.", "table", choices=("table", "json")),
        switch("keys", "List the keys."),
        text("a-flag-with-a-very-long-name", "Text.", metavar="path"),
        text("old", "Not shown.", hidden=True),
    )
    about = "Read keys and values.\n\n    pyconsul kv get app"
    assert render_help("pyconsul kv get [options]", about, [("Options", option_rows(options)), ("None", [])], 60) == (
        "Usage: pyconsul kv get [options]\n"
        "\n"
        "  Read keys and values.\n"
        "\n"
        "      pyconsul kv get app\n"
        "\n"
        "Options:\n"
        "  -format=table|json          How to print. The default is\n"
        "                              table.\n"
        "  -keys                       List the keys.\n"
        "  -a-flag-with-a-very-long-name=<path>\n"
        "                              Text.\n"
    )


def test_all_names_of_an_option() -> None:
    option = Option("files", TEXT, "Files.", "", flags=("config-file", "config-dir"), metavar="path")
    assert option_rows([option], aliases=True) == [("-config-file, -config-dir=<path>", "Files.")]
    assert option_rows([option]) == [("-config-file=<path>", "Files.")]


@pytest.mark.parametrize(
    ("option", "text_"),
    [
        (seconds("t", "Time", 30.0), "Time. The default is 30s."),
        (seconds("t", "Time", 86400.0), "Time. The default is 24h."),
        (seconds("t", "Time"), "Time."),
        (number("n", "Number", 1), "Number. The default is 1."),
        (number("n", "Number; the default is what fits", 1), "Number; the default is what fits."),
        (switch("s", "On", True), "On. The default is true."),
        (pairs("p", "Pairs"), "Pairs."),
        (
            Option("k", Kind("signal", Signals), "Signal", Signals.SIGINT, flags=("k",)),
            "Signal. The default is SIGINT.",
        ),
    ],
)
def test_the_default_ends_the_text(option: Option[Any], text_: str) -> None:
    assert option_text(option) == text_
