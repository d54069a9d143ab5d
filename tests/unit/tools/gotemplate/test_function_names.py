"""The table of functions agrees with the modules that it names, and a template loads those that it calls."""

from __future__ import annotations

from importlib import import_module

import pytest

from pyconsul.tools.gotemplate.functions.environment import environment_functions
from pyconsul.tools.gotemplate.functions.function_names import FAMILIES, SPRIG_FAMILIES
from pyconsul.tools.gotemplate.functions.helpers import Helpers
from pyconsul.tools.gotemplate.functions.surroundings import Surroundings

PACKAGE = "pyconsul.tools.gotemplate.functions"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_module_has_the_functions_that_the_table_says(family: str) -> None:
    if family == "environment":
        found = set(environment_functions({}))
    elif family == "surroundings":
        found = set(Surroundings().functions())
    else:
        found = set(import_module(f"{PACKAGE}.{family}").FUNCTIONS)
    assert set(FAMILIES[family]) == found


@pytest.mark.parametrize("family", SPRIG_FAMILIES)
def test_a_module_has_the_sprig_functions_that_the_table_says(family: str) -> None:
    assert set(SPRIG_FAMILIES[family]) == set(import_module(f"{PACKAGE}.sprig.{family}").FUNCTIONS)


def test_no_name_has_two_functions() -> None:
    names = [name for names in FAMILIES.values() for name in names]
    assert len(names) == len(set(names))


def test_a_template_has_the_functions_of_the_families_that_it_names() -> None:
    helpers = Helpers({}, Surroundings, '{{ "a" | toUpper | sprig_trunc 1 }}')
    functions = helpers.functions()
    assert {"toUpper", "sprig_trunc", "sprig_upper"} <= set(functions)
    assert not {"parseJSON", "timestamp", "scratch", "sprig_dict"} & set(functions)
    assert {"parseJSON", "timestamp", "scratch", "sprig_dict"} <= helpers.names


def test_without_a_text_all_functions_are_there() -> None:
    helpers = Helpers({}, Surroundings)
    assert set(helpers.functions()) == helpers.names
