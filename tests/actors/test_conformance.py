"""The conformance tests: an adapter that breaks a promise fails by it, in words of its author."""

import asyncio
import gc
import importlib
import os
import random
import sys
import time
import unittest
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from actors.bench.device import InstantAdapter
from actors.testing.conformance import AdapterConformance
from actors.testing.purity import impure_calls
from engine.adapters.base import Answer, Connected, Disconnected, PowerMeasured, Unreadable
from engine.errors import NotSent, OutcomeUnknown, Untranslatable

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "custom-adapter"

Method = Callable[..., Any]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - a module of an example
    """Give the module of an adapter that keeps every promise."""
    monkeypatch.syspath_prepend(EXAMPLE)
    return importlib.import_module("lamppost")


def checks(adapter: object, device: Any = None, **hooks: object) -> AdapterConformance:  # noqa: ANN401 - of an example
    """Return the conformance tests of an adapter."""
    tests = AdapterConformance()
    said: dict[str, object] = {
        "toml": 'host = "127.0.0.1"',
        "waits_to_send": False,
        "patience_s": 2.0,
        "adapter": lambda: adapter,
        "device": lambda _adapter: device,
    }
    for name, value in (said | hooks).items():
        setattr(tests, name, value)
    return tests


def changed(adapter: Any, **methods: Method) -> Any:  # noqa: ANN401 - of an example
    """Return an adapter some methods of which are others; each is given the right one first."""
    for name, method in methods.items():
        right = getattr(adapter, name)
        setattr(adapter, name, lambda *given, right=right, method=method: method(right, *given))
    return adapter


# --- the pure half


def clocked(right: Method, *given: object) -> object:
    """Look at the clock."""
    time.time()  # noqa: TID251 - that is what is wrong with it
    return right(*given)


def drawn(right: Method, *given: object) -> object:
    """Draw lots."""
    random.random()  # noqa: TID251 - likewise
    return right(*given)


def counted() -> Method:
    """Return a translate that counts how often it was asked."""
    seen: list[int] = []

    def translate(right: Method, *given: object) -> object:
        seen.append(1)
        frame = right(*given).frames[0]
        return replace(right(*given), frames=(replace(frame, body={"watts": len(seen)}),))

    return translate


def noted(right: Method, command: Any, *given: object) -> object:  # noqa: ANN401 - a command
    """Change what it is given."""
    command.arguments["seen"] = True
    return right(command, *given)


def formless(right: Method, command: object, asset: object, attempt: Any) -> object:  # noqa: ANN401 - an attempt
    """Have a form for every number."""
    return right(command, asset, replace(attempt, form=0))


def second(right: Method, command: object, asset: object, attempt: Any) -> object:  # noqa: ANN401 - an attempt
    """Have a form 2, but no form 1."""
    return right(command, asset, replace(attempt, form=attempt.form % 2))


def crashed(_right: Method, *_given: object) -> object:
    """Raise what nobody knows."""
    raise KeyError("it")


def refused(_right: Method, *_given: object) -> object:
    """Refuse whatever comes."""
    raise Untranslatable("I would rather not")


def silent(_right: Method, *_given: object) -> object:
    """Refuse without a word."""
    raise Untranslatable


def nothing(_right: Method, *_given: object) -> object:
    """Return nothing."""
    return None


def with_body(**body: object) -> Method:
    """Return a translate with other bodies."""

    def translate(right: Method, *given: object) -> object:
        payload = right(*given)
        return replace(payload, frames=(replace(payload.frames[0], body=body),))

    return translate


def with_payload(**fields: object) -> Method:
    """Return a translate with other payloads."""
    return lambda right, *given: replace(right(*given), **fields)


def unmarked(right: Method, *given: object) -> object:
    """Mark no frame."""
    payload = right(*given)
    return replace(payload, frames=(replace(payload.frames[0], control=False),))


SPELLINGS = [
    ("translate", clocked, "is_pure", "calls time.time: it has to be pure"),
    ("translate", drawn, "is_pure", "calls Random.random"),
    ("translate", counted(), "is_pure", "for the same"),
    ("translate", noted, "is_pure", "changed its arguments"),
    ("translate", formless, "forms_of_a_command", "has a form 31: raise instead"),
    ("translate", second, "forms_of_a_command", "has no form 1, but one behind it"),
    ("translate", crashed, "every_command", "raise Untranslatable for what there is no form for"),
    ("translate", crashed, "without_its_arguments", "raise Untranslatable"),
    ("translate", silent, "every_command", "without saying why"),
    ("translate", nothing, "forms_of_a_command", None),
    ("translate", refused, "a_charge_rate", r"refuses to charge at \[7.0, 0.0, 2.333, 6.999\] kW"),
    ("translate", lambda *_: "SET 7", "every_command", "not a Payload"),
    ("translate", unmarked, "what_the_engine_needs", "changes nothing: mark the frames"),
    ("translate", with_payload(frames=()), "what_the_engine_needs", "has no frames"),
    ("translate", with_payload(frames=("SET",)), "what_the_engine_needs", "that are no Frame"),
    ("translate", with_payload(attempt_id="a"), "what_the_engine_needs", "fills them in"),
    ("translate", with_payload(applied_kw=7.1), "rounded_towards_zero", "round towards zero"),
    ("translate", with_payload(applied_kw=None), "rounded_towards_zero", "became None kW"),
    ("translate", with_body(watts=(1, 2)), "survive_the_log", "comes back from the log as"),
    ("translate", with_body(watts=object()), "survive_the_log", "cannot be recorded"),
    ("interpret", crashed, "every_answer", "interpret of Answer.* raised KeyError"),
    ("interpret", clocked, "every_answer", "interpret calls time.time"),
    ("interpret", nothing, "every_answer", "not a tuple of observations"),
    ("interpret", lambda *_: ("IS",), "every_answer", "not a tuple of observations"),
    ("interpret", lambda *_: (Unreadable("?"),), "every_answer", "keep the answer's raw text"),
    ("interpret", lambda *_: (PowerMeasured(float("nan")),), "every_answer", "no measurement"),
    ("questions", lambda *_: [], "questions_change_nothing", "not a tuple"),
    ("questions", lambda right, asset: right(asset) * 0, "questions_change_nothing", None),
    ("questions", clocked, "questions_change_nothing", "questions calls time.time"),
]


@pytest.mark.parametrize(("method", "wrong", "name", "words"), SPELLINGS)
def test_a_broken_spelling_is_told(
    example: Any,  # noqa: ANN401 - a module
    method: str,
    wrong: Method,
    name: str,
    words: str | None,
) -> None:
    """By the test that is about it; null words are what is allowed."""
    tests = checks(changed(example.LamppostAdapter(), **{method: wrong}))
    (found,) = (one for one in dir(tests) if one.startswith("test_") and name in one)
    if words is None:
        getattr(tests, found)()
        return
    with pytest.raises(AssertionError, match=words):
        getattr(tests, found)()


def test_a_question_that_controls_is_told(example: Any) -> None:  # noqa: ANN401 - a module
    """It may come at any time."""
    adapter = example.LamppostAdapter()
    (payload,) = adapter.questions(None)
    marked = replace(payload, frames=(replace(payload.frames[0], control=True),))
    with pytest.raises(AssertionError, match=r"\['GET'\] is marked control"):
        checks(changed(adapter, questions=lambda *_: (marked,))).test_questions_change_nothing()
    empty = replace(payload, frames=())
    with pytest.raises(AssertionError, match="without frames"):
        checks(changed(adapter, questions=lambda *_: (empty,))).test_questions_change_nothing()


class TestOptions:
    def test_a_class_that_is_none_of_attrs_is_told(self, example: Any) -> None:  # noqa: ANN401 - a module
        """The site file is read by its fields."""
        adapter = example.LamppostAdapter()
        adapter.options = dict
        with pytest.raises(AssertionError, match="has to be an attrs class, not <class 'dict'>"):
            checks(adapter).test_the_options_are_read_from_a_site_file()

    def test_keys_that_do_not_fit_are_told(self, example: Any) -> None:  # noqa: ANN401 - a module
        """With the problem as somebody sees it who writes a site file."""
        tests = checks(example.LamppostAdapter(), toml='hots = "127.0.0.1"')
        with pytest.raises(AssertionError, match=r"(?s)the keys in toml do not fit .*hots"):
            tests.test_the_options_are_read_from_a_site_file()

    def test_options_without_a_comparison_are_told(self, example: Any) -> None:  # noqa: ANN401 - a module
        """A site that was read again would seem to be another."""
        adapter = example.LamppostAdapter()
        adapter.options = attrs.make_class("Options", {"host": attrs.field(type=str)}, eq=False)
        with pytest.raises(AssertionError, match="let attrs compare"):
            checks(adapter).test_the_options_are_read_from_a_site_file()

    def test_an_option_of_any_type_is_told(self, example: Any) -> None:  # noqa: ANN401 - a module
        """A mistake in a site file would come out when it is used."""
        adapter = example.LamppostAdapter()
        adapter.options = attrs.make_class("Options", {"host": attrs.field(type=Any)})
        with pytest.raises(AssertionError, match="the option host takes"):
            checks(adapter).test_a_wrong_option_is_refused_and_nothing_else_raised()

    def test_a_secret_that_is_not_marked_is_told(self, example: Any) -> None:  # noqa: ANN401 - a module
        """The name of a variable is none."""
        adapter = example.LamppostAdapter()
        adapter.options = attrs.make_class("Options", ["password_env", "api_token"])
        with pytest.raises(AssertionError, match="api_token looks like a secret"):
            checks(adapter).test_a_secret_option_is_marked()


# --- the link


class Broken:
    """The example's link, some methods of which are others."""

    def __init__(self, example: Any, **methods: Method) -> None:  # noqa: ANN401 - a module
        """Change an adapter's link."""

        def link(right: Method, *given: object) -> object:
            return changed(right(*given), **methods)

        self.adapter = changed(example.LamppostAdapter(), link=link)
        simulated = importlib.import_module("simulated_lamppost")
        self.device = simulated.SimulatedLamppost()

    def checks(self, **hooks: object) -> AdapterConformance:
        """Return its tests."""
        return checks(self.adapter, self.device, **hooks)


async def opened_late(right: Method) -> None:
    """Wait for the device."""
    await right()
    await asyncio.Event().wait()


async def sent_twice(right: Method, payload: object, timeout_s: float) -> object:
    """Try again by itself."""
    try:
        return await right(payload, timeout_s / 2)
    except OutcomeUnknown:
        return await right(payload, timeout_s / 4)


async def sent_again(right: Method, payload: object, timeout_s: float) -> object:
    """Send two times, to be sure."""
    await right(payload, timeout_s)
    return await right(payload, timeout_s)


async def sent_at_leisure(right: Method, payload: object, _timeout_s: float) -> object:
    """Wait for as long as it takes."""
    return await right(payload, 60.0)


def told_as(error: type[Exception] | None) -> Method:
    """Return a send that tells of an unknown outcome in another way."""

    async def send(right: Method, payload: object, timeout_s: float) -> object:
        try:
            return await right(payload, timeout_s)
        except OutcomeUnknown:
            if error is None:
                return Answer("OK")
            raise error("no answer") from None

    return send


def answered_as(answer: object) -> Method:
    """Return a send that returns something else."""

    async def send(right: Method, payload: object, timeout_s: float) -> object:
        await right(payload, timeout_s)
        return answer

    return send


async def raised_for_no(right: Method, payload: object, timeout_s: float) -> object:
    """Take a refusal for an error."""
    answer = await right(payload, timeout_s)
    if answer.outcome == "rejected":
        raise OutcomeUnknown(answer.reason)
    return answer


async def closed_hard(right: Method) -> None:
    """Never come back."""
    await right()
    await asyncio.Event().wait()


def dead(right: Method) -> None:
    """Connect once, and never again."""
    right()
    raise asyncio.CancelledError


def mute_of(kind: type) -> Method:
    """Return a report that leaves out a kind."""

    def report(right: Method, observation: object) -> None:
        if not isinstance(observation, kind):
            right(observation)

    return report


def chatty(right: Method, observation: object) -> None:
    """Report what nobody knows as well."""
    right(observation)
    right("hello")


async def never_sent(_right: Method, *_given: object) -> None:
    """Let an error of the socket through."""
    raise ConnectionError("down")


LINKS = [
    ("open", opened_late, "opening_returns", "return at once and connect in a task of its own"),
    ("send", told_as(NotSent), "silence", "has to raise OutcomeUnknown, not NotSent"),
    ("send", told_as(NotSent), "a_connection_that_ends", "has to raise OutcomeUnknown"),
    ("send", told_as(ValueError), "silence", "only NotSent and OutcomeUnknown are known"),
    ("send", told_as(None), "silence", "does not answer, link.send returned Answer"),
    ("send", sent_at_leisure, "silence", "took longer than its timeout_s"),
    ("send", sent_again, "arrives_once", "a link sends each once and never retries"),
    ("send", answered_as("OK"), "arrives_once", "not an Answer"),
    ("send", answered_as(Answer("NO", "error")), "arrives_once", "the device has accepted"),
    ("send", answered_as(Answer("")), "arrives_once", "keep what the device answered"),
    ("send", raised_for_no, "a_refusal", "return an Answer with the outcome rejected or error"),
    ("send", answered_as(Answer("NO")), "a_refusal", "and link.send says accepted"),
    ("send", never_sent, "opening_returns", "only NotSent and OutcomeUnknown are known"),
    ("let_go", dead, "opening_returns", "when the device has come back, the link has to report"),
    ("let_go", dead, "a_connection_that_ends", "can be reached, the link has to report Connected"),
    ("report", mute_of(Connected), "arrives_once", "the link has to report Connected within"),
    ("report", mute_of(Disconnected), "opening_returns", "the link has to report Disconnected"),
    ("report", chatty, "reports_are_observations", "'hello'.* which is no observation"),
    ("close", closed_hard, "closing_twice", "link.close does not come back"),
]


@pytest.mark.parametrize(("method", "wrong", "name", "words"), LINKS)
def test_a_broken_link_is_told(
    example: Any,  # noqa: ANN401 - a module
    method: str,
    wrong: Method,
    name: str,
    words: str | None,
) -> None:
    """By the test that is about it."""
    tests = Broken(example, **{method: wrong}).checks()
    (found,) = (one for one in dir(tests) if one.startswith("test_") and name in one)
    if words is None:
        getattr(tests, found)()
        return
    with pytest.raises((AssertionError, OutcomeUnknown), match=words):
        getattr(tests, found)()


def test_a_link_that_sends_too_late_is_told(example: Any) -> None:  # noqa: ANN401 - a module
    """Unless its author says that it never waits."""
    broken = Broken(example)
    with pytest.raises(AssertionError, match=r"begin_by_us has passed, link.send returned Answer"):
        broken.checks(waits_to_send=True).test_nothing_leaves_after_the_send_window()
    with pytest.raises(unittest.SkipTest, match="never waits"):
        broken.checks().test_nothing_leaves_after_the_send_window()


def test_a_link_without_a_device_is_not_tried(example: Any) -> None:  # noqa: ANN401 - a module
    """Its tests are skipped, and say what is missing."""
    tests = checks(example.LamppostAdapter())
    with pytest.raises(unittest.SkipTest, match="gives no device"):
        tests.test_silence_is_an_unknown_outcome()


def test_a_subclass_without_an_adapter_is_told() -> None:
    """What has to be given is the first that somebody hears of."""
    with pytest.raises(NotImplementedError, match="has to return your adapter"):
        AdapterConformance().test_translate_is_pure()
    assert AdapterConformance().device(InstantAdapter()) is None


def test_what_the_collector_calls_on_the_way_is_nobodys_impurity() -> None:
    """Others have hooks in it that look at a clock."""

    def hook(*_: object) -> None:
        time.perf_counter()  # noqa: TID251 - as such hooks do

    def collects() -> int:
        return len([[] for _ in range(10 * gc.get_threshold()[0])])

    gc.callbacks.append(hook)
    try:
        assert impure_calls(collects)[1] == []
    finally:
        gc.callbacks.remove(hook)
    assert gc.isenabled()


def test_impure_calls_are_seen_by_their_names() -> None:
    """Whoever watches before goes on watching behind."""
    before = sys.getprofile()
    now = datetime.now  # noqa: TID251 - not called here
    assert impure_calls(lambda: "pure") == ("pure", [])
    assert impure_calls(lambda: now(UTC))[1] == ["datetime.now"]
    assert impure_calls(lambda: os.urandom(1))[1] == ["posix.urandom"]
    assert impure_calls(lambda: open(os.devnull).close())[1] in (["io.open"], ["_io.open"])  # noqa: PTH123
    assert before is sys.getprofile()
