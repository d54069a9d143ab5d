"""Sprig's functions under their names in consul-template, called from templates."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyconsul.tools.gotemplate.errors import TemplateError
from pyconsul.tools.gotemplate.functions.sprig.case import camelcase, kebabcase, snakecase
from pyconsul.tools.gotemplate.functions.sprig.semver import semver_compare

Render = Callable[..., str]


@pytest.mark.parametrize(
    ("template", "output"),
    [
        # texts
        ('abbrev 8 "hello world"', "hello..."),
        ('abbrev 3 "hello"', "hello"),
        ('abbrevboth 5 10 "1234 5678 9123"', "...5678..."),
        ('trunc 2 "éa"', "é"),
        ('trunc -10 "abc"', "abc"),
        ('substr 0 5 "hello world"', "hello"),
        ('substr -1 3 "hello"', "hel"),
        ('substr 2 -1 "hello"', "llo"),
        ('title "it\'s a_b"', "It'S A_b"),
        ('untitle "Hello World"', "hello world"),
        ('splitn "$" 2 "a$b$c"', "map[_0:a _1:b$c]"),
        ('splitList "," ""', "[]"),
        ('join "-" (sprig_list 1 "a" nil 2.5)', "1-a-2.5"),
        ('join "-" "x"', "x"),
        ("sortAlpha (sprig_list 3 1 2)", "[1 2 3]"),
        ('quote "a\\"b" nil 1.5', '"a\\"b" "1.5"'),
        ('cat "a" nil 1', "a 1"),
        ('initials "john smith"', "js"),
        ('nospace " a\\tb "', "ab"),
        ('swapcase "aB é"', "Ab É"),
        ('wrapWith 3 "/" "abcdefg hi"', "abc/def/g/hi"),
        ('wrap 3 "abcdefg hi jk"', "abcdefg\nhi\njk"),
        ('indent 2 "a\\n\\nb"', "  a\n  \n  b"),
        ('contains "" "a"', "true"),
        ('repeat 0 "a"', ""),
        ('trimAll "" " a"', " a"),
        ("toString nil", "<nil>"),
        ("toStrings 5", "[5]"),
        # numbers
        ('int "012"', "10"),
        ('int "12.0"', "12"),
        ('int "12.5"', "0"),
        ('int64 "x"', "0"),
        ("int true", "1"),
        ('float64 "x"', "0"),
        ("div -7 2", "-3"),
        ("mod -7 2", "-1"),
        ("addf 0.1 0.2", "0.3"),
        ("subf 1 0.9", "0.1"),
        ("divf 1 3", "0.3333333333333333"),
        ("round 2.5 0", "3"),
        ("round 123.4449 2 0.4", "123.45"),
        ("floor -1.5", "-2"),
        ("ceil 1.2", "2"),
        ("maxf 1 2.5", "2.5"),
        ("seq 5", "1 2 3 4 5"),
        ("seq -2", "1 0 -1 -2"),
        ("seq 5 1", "5 4 3 2 1"),
        ("seq 0 2 5", "0 2 4"),
        ("seq 5 2 1", ""),
        ("seq", ""),
        ("until -3", "[0 -1 -2]"),
        ("untilStep 0 10 -1", "[]"),
        ("untilStep 5 0 -2", "[5 3 1]"),
        ("toDecimal 777", "511"),
        ("biggest 1 3", "3"),
        ('atoi "7"', "7"),
        ('atoi " 7"', "0"),
        ("add", "0"),
        ("mul 2", "2"),
        ("min 3 1", "1"),
        ("minf 2 1.5", "1.5"),
        ("add1f 1.5", "2.5"),
        # lists
        ("first (sprig_list)", "<no value>"),
        ("rest (sprig_list)", "[]"),
        ("initial (sprig_list)", "[]"),
        ("has 4 (sprig_list 1 2)", "false"),
        ("has 1.0 (sprig_list 1)", "false"),
        ("has 1 nil", "false"),
        ("uniq (sprig_list 1 1.0 1)", "[1 1]"),
        ("slice (sprig_list 1 2 3) 1", "[2 3]"),
        ("compact (sprig_list 0 1 false nil (sprig_list))", "[1]"),
        ("concat (sprig_list 1) (sprig_until 2)", "[1 0 1]"),
        ("mustReverse (sprig_list 1 2)", "[2 1]"),
        ("chunk 2 (sprig_list)", "[]"),
        ("deepEqual (sprig_list 1) (sprig_list 1)", "true"),
        ('last (sprig_splitList "," "a,b")', "b"),
        ("tuple 1 2", "[1 2]"),
        ("without (sprig_list 1 2 3) 1 3", "[2]"),
        # dictionaries
        ('dict "a" 1 "b"', "map[a:1 b:]"),
        ('get (sprig_dict) "a"', ""),
        ('keys (sprig_dict "b" 1 "a" 2) (sprig_dict "c" 3)', "[a b c]"),
        ('values (sprig_dict "b" 1 "a" 2)', "[2 1]"),
        ('dig "a" "b" "d" (sprig_dict "a" (sprig_dict))', "d"),
        ('pluck "z" (sprig_dict)', "[]"),
        ('deepCopy (sprig_dict "a" (sprig_list 1))', "map[a:[1]]"),
        # types
        ("kindOf nil", "invalid"),
        ("kindOf (sprig_list)", "slice"),
        ("typeOf (sprig_until 1)", "[]int"),
        ('kindOf (sprig_semver "1")', "ptr"),
        ('typeIsLike "semver.Version" (sprig_semver "1")', "true"),
        ("default 1 nil", "1"),
        ("default 1", "1"),
        ("coalesce nil 0", "<no value>"),
        ('fromJson "{"', "<no value>"),
        ('toJson (sprig_list "<")', '["\\u003c"]'),
        ("ternary 1 2 false", "2"),
        ("empty (sprig_dict)", "true"),
        # encodings
        ('b64dec "*"', "illegal base64 data at input byte 0"),
        ('b32dec "MFRGG==="', "abc"),
        ('sha512sum "" | len', "128"),
        ('regexFindAll "[a-z]" "a1b2" 1', "[a]"),
        ('regexQuoteMeta "a.b*"', "a\\.b\\*"),
        ('mustRegexMatch "^a" "ab"', "true"),
        ('base ""', "."),
        ('dir "/a"', "/"),
        ('clean "//a/./b/.."', "/a"),
        ('ext "a.b/c"', ""),
        ('osExt "a.tar.gz"', ".gz"),
        (
            'urlJoin (sprig_dict "scheme" "http" "host" "h" "path" "a b" "query" "q=1" "fragment" "f" "userinfo" "u:p")',
            "http://u:p@h/a%20b?q=1#f",
        ),
        # times and versions
        ('duration "3725"', "1h2m5s"),
        ('durationRound "90s"', "1m"),
        ("durationRound 0", "0s"),
        ('toDate "2006-01-02" "2020-02-03"', "2020-02-03 00:00:00 +0000 UTC"),
        ('unixEpoch (sprig_toDate "2006-01-02" "1970-01-02")', "86400"),
        ('mustDateModify "-1h" (sprig_toDate "2006-01-02" "2020-01-01") | print', "2019-12-31 23:00:00 +0000 UTC"),
        ('toDate "2006" "x"', "0001-01-01 00:00:00 +0000 UTC"),
        ('semver "v1.2-a+b"', "1.2.0-a+b"),
        ("hello", "Hello!"),
    ],
)
def test_output(render: Render, template: str, output: str) -> None:
    assert render(f"{{{{ sprig_{template} }}}}") == output


@pytest.mark.parametrize(
    "template",
    [
        'repeat -1 "a"',
        "div 1 0",
        "mod 1 0",
        "divf 1 0",
        "dig 1",
        "first 3",
        "append 1 2",
        'regexMatch "(" ""',
        'semver "x"',
        'fail "f"',
        'mustFromJson "{"',
        'mustToDate "2006" "x"',
        'substr 3 2 "abc"',
        "untilStep 0 100000000 1",
        'semverCompare "a" "1"',
        "urlParse `http://[`",
        'genCA "a" 1',
        "randInt 0 5",
        'get (sprig_split "," "a") "_0"',
        "upper 5",
        "ternary 1 2 3",
        "slice (sprig_list 1) 2",
    ],
)
def test_problem(render: Render, template: str) -> None:
    with pytest.raises(TemplateError):
        render(f"{{{{ sprig_{template} }}}}")


@pytest.mark.parametrize(
    "name", ["date", "now", "env", "expandenv", "htmlDate", "uuidv4", "randAlpha", "getHostByName"]
)
def test_functions_of_the_surroundings_are_not_there(render: Render, name: str) -> None:
    with pytest.raises(TemplateError, match=f'function "sprig_{name}" not defined'):
        render(f"{{{{ sprig_{name} }}}}")


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("FirstName", "first_name"),
        ("HTTPServer", "http_server"),
        ("NoHTTPS", "no_https"),
        ("GO_PATH", "go_path"),
        ("GO PATH", "go_path"),
        ("http2xx", "http_2xx"),
        ("HTTP20xOK", "http_20x_ok"),
        ("Duration2m3s", "duration_2m3s"),
        ("Bld4Floor3rd", "bld4_floor_3rd"),
        ("_camelCase", "_camel_case"),
        ("", ""),
        ("já Ž", "já_ž"),
    ],
)
def test_snakecase(name: str, snake: str) -> None:
    assert snakecase(name) == snake
    assert kebabcase(name) == snake.replace("_", "-")


@pytest.mark.parametrize(
    ("name", "camel"),
    [
        ("http_server", "HttpServer"),
        ("no_https", "NoHttps"),
        ("_complex__case_", "_Complex_Case_"),
        ("some words", "SomeWords"),
        ("GOLANG_IS_GREAT", "GolangIsGreat"),
        ("__", "__"),
        ("", ""),
    ],
)
def test_camelcase(name: str, camel: str) -> None:
    assert camelcase(name) == camel


@pytest.mark.parametrize(
    ("constraint", "version", "met"),
    [
        ("1.2.3", "1.2.3", True),
        ("=1.2", "1.2.9", True),
        ("!=1.2.x", "1.2.9", False),
        (">1.2", "1.2.9", False),
        (">1.2", "1.3.0", True),
        (">= 1.2, < 2", "1.9.9", True),
        (">=1.2 <2", "2.0.0", False),
        ("~1.2.3", "1.2.9", True),
        ("~1.2.3", "1.3.0", False),
        ("~1", "1.9.0", True),
        ("^1.2.3", "1.9.0", True),
        ("^1.2.3", "2.0.0", False),
        ("^0.2.3", "0.2.9", True),
        ("^0.2.3", "0.3.0", False),
        ("^0.0.3", "0.0.4", False),
        ("^0", "0.9.0", True),
        ("1.2 - 1.4", "1.4.9", True),
        ("1.2 - 1.4.5", "1.4.6", False),
        ("<1 || >=3", "3.1.0", True),
        ("*", "9.9.9", True),
        ("x", "1.0.0-a", False),
        (">=1.0.0-0", "1.0.0-a", True),
        ("<=1.2", "1.2.5", True),
        ("1.x", "1.5.0", True),
        ("<1.0.0-b", "1.0.0-a", True),
    ],
)
def test_semver_compare(constraint: str, version: str, met: bool) -> None:
    assert semver_compare(constraint, version) is met


def test_values_with_methods(render: Render) -> None:
    assert render(
        '{{ $v := sprig_semver "1.2.3-beta.1+x" }}{{ $v.Major }}.{{ $v.Patch }} {{ $v.Prerelease }} {{ $v }}'
    ) == ("1.3 beta.1 1.2.3-beta.1+x")
    assert render('{{ ($.Compare (sprig_semver "1.0.1")) }}', None) == "<no value>"
    assert render('{{ (sprig_semver "1.0.0").Compare (sprig_semver "1.0.1") }}') == "-1"
    date = '(sprig_toDate "2006-01-02 15:04:05" "2020-02-03 16:05:06")'
    shown = (
        "{{ with "
        + date
        + " }}{{ .Month }} {{ .Weekday }} {{ .YearDay }} {{ .Unix }} {{ .Format `Jan 2, 3PM` }}{{ end }}"
    )
    assert render(shown) == "February Monday 34 1580745906 Feb 3, 4PM"
    assert render(f'{{{{ printf "%d" {date}.Month }}}} {{{{ toJSON {date} }}}}') == '2 "2020-02-03T16:05:06Z"'
