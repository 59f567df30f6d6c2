"""Modes, timers and other ways to hold a setpoint, as a profile says them."""

from fractions import Fraction

import pytest

from engine.adapters.profile import parse
from engine.adapters.registers import ModeWrite, RegisterProfile
from engine.errors import Problem, SiteRefused

HEAD = """\
[profile]
name = "ems"
source = "a document"
control = "amount"
"""
BODY = """\
[[register]]
role = "ems_mode"
address = 10
type = "u16"
access = "rw"
[[register]]
role = "lease_s"
address = 11
type = "u16"
access = "w"
[[register]]
role = "power_setpoint_w"
address = 12
type = "u16"
access = "rw"
max = 5000
[[mode.charge]]
role = "lease_s"
value = "lease"
[[mode.charge]]
role = "ems_mode"
value = 11
"""
DISCHARGE = "[[mode.discharge]]\nrole = 'ems_mode'\nvalue = 12\n"


def read(text: str) -> RegisterProfile:
    """Return a sound profile."""
    return parse(text, "ems.toml")


def problems(text: str) -> list[Problem]:
    """Return what is wrong with a profile."""
    with pytest.raises(SiteRefused) as refused:
        parse(text, "ems.toml")
    return list(refused.value.problems)


def test_a_timer_takes_the_lease() -> None:
    """And a register that is only written is not read."""
    profile = read(HEAD + BODY + DISCHARGE)
    assert profile.modes["charge"] == (
        ModeWrite("lease_s", None, "lease"),
        ModeWrite("ems_mode", Fraction(11)),
    )
    assert [one.role for one in profile.registers if not one.readable] == ["lease_s"]
    assert [one.role for one in profile.telling] == ["power_setpoint_w", "ems_mode"]


@pytest.mark.parametrize("discharge", ["", DISCHARGE.replace("12", "11")])
def test_an_amount_needs_a_mode_for_its_direction(discharge: str) -> None:
    """Else charging and discharging would be the same writes."""
    (problem,) = problems(HEAD + BODY + discharge)
    assert (problem.column, problem.value, problem.line) == ("control", "amount", 4)


@pytest.mark.parametrize(("word", "found"), [("true", True), ("false", False)])
def test_neighbours_may_be_written_as_one(word: str, found: bool) -> None:  # noqa: FBT001 - a parameter
    """As the profile says; by itself each goes out alone."""
    profile = read(f"{HEAD}block_writes = {word}\n{BODY}{DISCHARGE}")
    assert profile.block_writes is found


def test_a_flag_is_true_or_false() -> None:
    """A number is neither."""
    (problem,) = problems(f"{HEAD}block_writes = 1\n{BODY}{DISCHARGE}")
    assert (problem.column, problem.message) == ("block_writes", "true or false is expected")


PERSISTENT = "persistent = { min_interval_s = 60, daily_writes = 10 }\n"


@pytest.mark.parametrize(
    ("access", "message"),
    [("r", 'this register has no access = "rw"'), ("w", "what is kept in flash is read before")],
)
def test_only_what_is_read_and_written_is_kept_in_flash(access: str, message: str) -> None:
    """A write that would change nothing has to be seen before it is sent."""
    text = f"""[[register]]
role = "power_w"
address = 30
type = "u16"
access = "{access}"
{PERSISTENT}"""
    (problem,) = problems(HEAD + BODY + text + DISCHARGE)
    assert problem.column == "persistent"
    assert problem.message.startswith(message)


def test_a_register_that_is_written_has_all_its_bits() -> None:
    """A mask is for reading."""
    text = BODY.replace("address = 10\n", "address = 10\nmask = 6\n")
    (problem,) = problems(HEAD + text + DISCHARGE)
    assert (problem.column, problem.line) == ("mask", 8)


@pytest.mark.parametrize(("role", "kept"), [("setpoint", "power_setpoint_w"), ("beat", "beat")])
def test_no_keep_alive_wears_out_flash(role: str, kept: str) -> None:
    """It would be written every half minute, or not at all."""
    beat = "[[register]]\nrole = 'beat'\naddress = 40\ntype = 'u16'\naccess = 'rw'\n"
    text = HEAD + BODY + DISCHARGE + (beat if role == "beat" else "")
    marked = text.replace(f"role = '{kept}'", f"role = '{kept}'\n{PERSISTENT}")
    marked = marked.replace(f'role = "{kept}"\naddress', f'role = "{kept}"\n{PERSISTENT}address')
    keepalive = f"[keepalive]\nrole = '{role}'\ndevice_timeout_s = 60\n"
    (problem,) = problems(marked + keepalive)
    assert problem.message == "it would wear out a register that is kept in flash"
    assert read(text + keepalive).keepalive is not None


def test_a_mode_knows_words() -> None:
    """Any other word is a fault."""
    fallback = "[[mode.idle]]\nrole = 'lease_s'\nvalue = 'fallback'\n"
    idle = read(HEAD + BODY + DISCHARGE + fallback).modes["idle"]
    assert idle == (ModeWrite("lease_s", None, "fallback"),)
    (problem,) = problems(HEAD + BODY + DISCHARGE + fallback.replace("fallback", "soon"))
    assert (problem.column, problem.value) == ("value", "soon")
