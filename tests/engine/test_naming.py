"""Names that there are not."""

import pytest

from engine.errors import UnknownAsset
from engine.naming import instead_of, is_text, nearest

DEPOT = ("ast_bay_2", "ast_bay_1", "ast_batt")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ast_bay1", "did you mean 'ast_bay_1' or 'ast_bay_2' or 'ast_batt'?"),
        ("BATT", "did you mean 'ast_batt'?"),
        ("nobody", "there are ast_batt, ast_bay_1, ast_bay_2"),
    ],
)
def test_what_was_meant_is_named_or_all_that_there_is(name: str, expected: str) -> None:
    """Three at the most that look like it, in any case; else all, by name."""
    assert instead_of(name, DEPOT) == expected


@pytest.mark.parametrize("value", [None, 5, b"ast", "ast\udcff"])
def test_what_cannot_be_written_down_is_no_text(value: object) -> None:
    """Other types, and halves of a surrogate pair."""
    assert not is_text(value)
    assert is_text("ast_é")


def test_a_long_list_has_an_end() -> None:
    """A dozen, and how many more there are; of nothing it is said that it is nothing."""
    many = [f"ast_{number:04}" for number in range(1_212)]
    assert instead_of("x", many).endswith("ast_0010, ast_0011 and 1,200 more")
    assert instead_of("x", ()) == "there is none"


def test_as_many_near_names_are_returned_as_are_asked_for() -> None:
    """The nearest first."""
    assert nearest("ast_bay_1", DEPOT) == ["ast_bay_1"]
    assert nearest("zzz", DEPOT) == []


def test_an_unknown_asset_is_told_with_what_was_meant() -> None:
    """In one line."""
    told = str(UnknownAsset.among("ast_bat", DEPOT))
    assert told.startswith("no asset is called 'ast_bat'; did you mean 'ast_batt'")
