"""What the pure half of an adapter promises: `engine.adapters.base.Spelling`."""

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar, get_args

import attrs
import msgspec
from msgspec.structs import replace

from actors.testing.adapter_hooks import AdapterHooks, require
from actors.testing.purity import impure_calls
from engine.adapters.base import (
    AdapterPlugin,
    Answer,
    AssetView,
    Frame,
    Observation,
    Outcome,
    Payload,
    Unreadable,
)
from engine.commands import Attempt, Command, CommandType
from engine.errors import SiteRefused, Untranslatable

T = TypeVar("T")

_MOST_FORMS: Final = 32
_ROUNDING_KW: Final = 1e-9
_SECRETS: Final = ("password", "secret", "token")
_OBSERVATIONS: Final = get_args(Observation)
_GARBAGE: Final[tuple[object, ...]] = (
    None,
    {},
    [],
    "",
    0,
    -1,
    math.nan,
    math.inf,
    "Accepted",
    ["?"],
    {"?": "?"},
    {"status": None},
    {"status": {"status": []}},
    {"words": [70_000], "address": "x", "space": 1},
    b"\xff\x00",
    object(),
)


class SpellingChecks(AdapterHooks):
    """The tests of ``options``, ``translate``, ``interpret`` and ``questions``."""

    # --- options

    def test_the_options_are_read_from_a_site_file(self) -> None:
        """They are an attrs class that the keys in ``toml`` fit, and the same again is equal."""
        adapter = self.adapter()
        kind: object = adapter.options
        require(
            isinstance(kind, type) and attrs.has(kind),
            f"options has to be an attrs class, not {kind!r}",
        )
        try:
            options, again = self.read_options(adapter), self.read_options(adapter)
        except SiteRefused as error:
            raise AssertionError(
                f"the keys in toml do not fit {adapter.options}: {error}"
            ) from None
        require(
            isinstance(options, adapter.options),
            f"the site file gives {options!r}, no {adapter.options.__name__}",
        )
        require(options == again, "options read twice from the same keys differ: let attrs compare")

    def test_a_wrong_option_is_refused_and_nothing_else_raised(self) -> None:
        """A key of the wrong type is a problem of the site file, with its line."""
        adapter = self.adapter()
        for field in attrs.fields(adapter.options):
            keys = f"{field.alias} = [[1979-05-27]]"
            try:
                self.read_options(adapter, keys)
            except SiteRefused:
                continue
            except Exception as error:
                raise AssertionError(f"the option {field.alias} raised {error!r}") from error
            raise AssertionError(f"the option {field.alias} takes {keys.partition(' = ')[2]}")

    def test_a_secret_option_is_marked(self) -> None:
        """What is not marked may stand in the log."""
        for field in attrs.fields(self.adapter().options):
            is_secret = any(word in field.name.lower() for word in _SECRETS)
            names_a_place = field.name.lower().endswith(("_env", "_file"))
            require(
                not is_secret or names_a_place or field.metadata.get("secret"),
                f"the option {field.name} looks like a secret and would be recorded: "
                'give it metadata={"secret": True}',
            )

    # --- translate

    def test_every_command_is_spelled_or_refused(self) -> None:
        """A payload, or Untranslatable: nothing else comes out."""
        for command, payload in self._spelled():
            require(
                payload is None or isinstance(payload, Payload),
                f"translate of {command.type} returned {payload!r}, not a Payload",
            )

    def test_a_charge_rate_is_spelled(self) -> None:
        """Also that of 0 kW, by which everything stops."""
        refused = [
            command.value_kw
            for command, payload in self._spelled()
            if command.type is CommandType.SET_CHARGE_RATE and payload is None
        ]
        require(not refused, f"translate refuses to charge at {refused} kW")

    def test_a_command_without_its_arguments_is_refused(self) -> None:
        """As Untranslatable: a handler that raises anything else has crashed."""
        adapter, asset = self._ready()
        for command, attempt in self.commands():
            bare = replace(command, arguments={})
            self._translated(adapter, bare, asset, attempt)

    def test_translate_is_pure(self) -> None:
        """The same payload for the same arguments, which it leaves alone; no clock, no lot."""
        adapter, asset = self._ready()
        for command, attempt in self.commands():
            arguments = (command, asset, attempt)
            first = self._pure(
                "translate", arguments, partial(self._translated, adapter, *arguments)
            )
            again = self._translated(self.adapter(), *copy.deepcopy(arguments))
            require(
                first == again,
                f"translate of {command.type} gave {first!r}, then {again!r}, for the same",
            )

    def test_the_forms_of_a_command_come_to_an_end(self) -> None:
        """A form that does not exist raises Untranslatable, and so does each behind it."""
        adapter, asset = self._ready()
        for command, attempt in self.commands():
            forms = [
                self._translated(adapter, command, asset, replace(attempt, form=form))
                for form in range(_MOST_FORMS)
            ]
            require(
                forms[-1] is None, f"{command.type} has a form {_MOST_FORMS - 1}: raise instead"
            )
            count = forms.index(None)
            require(
                not any(forms[count:]),
                f"{command.type} has no form {count}, but one behind it",
            )

    def test_a_payload_has_what_the_engine_needs(self) -> None:
        """Frames, of which one at least is marked control; the engine adds id and send window."""
        for command, payload in self._spelled():
            if payload is None:
                continue
            of = f"the payload of {command.type}"
            require(payload.frames, f"{of} has no frames")
            require(
                all(isinstance(one, Frame) for one in payload.frames),
                f"{of} has frames that are no Frame: {payload.frames!r}",
            )
            require(
                any(one.control for one in payload.frames),
                f"{of} changes nothing: mark the frames that do with control=True",
            )
            require(
                payload.attempt_id is None and payload.begin_by_us is None,
                f"{of} has attempt_id or begin_by_us: the engine fills them in",
            )

    def test_applied_is_rounded_towards_zero(self) -> None:
        """Never more than was asked; of a command without a power it is null."""
        for command, payload in self._spelled():
            if payload is None:
                continue
            asked, applied = command.value_kw, payload.applied_kw
            if asked is None:
                require(applied is None, f"{command.type} has no power, but applied_kw {applied}")
                continue
            require(
                applied is not None and -_ROUNDING_KW <= applied <= asked + _ROUNDING_KW,
                f"{command.type} of {asked} kW became {applied} kW: round towards zero",
            )

    def test_payloads_survive_the_log(self) -> None:
        """They are recorded, and compared with what was recorded."""
        adapter, asset = self._ready()
        spelled = [payload for _, payload in self._spelled() if payload is not None]
        for payload in (*spelled, *adapter.questions(asset)):
            try:
                packed = msgspec.msgpack.encode(payload)
                back = msgspec.msgpack.decode(packed, type=Payload)
            except (TypeError, ValueError, OverflowError) as error:
                raise AssertionError(f"{payload!r} cannot be recorded: {error}") from None
            require(
                back == payload,
                f"{payload!r} comes back from the log as {back!r}: "
                "use numbers, texts, lists and dicts in a frame's body",
            )

    # --- interpret and questions

    def test_interpret_takes_every_answer(self) -> None:
        """It never raises; what it cannot read is nothing, or Unreadable with the raw text."""
        adapter, asset = self._ready()
        for answer in _answers():
            arguments = (answer, asset)
            said = self._interpreted(adapter, arguments)
            require(
                isinstance(said, tuple) and all(isinstance(one, _OBSERVATIONS) for one in said),
                f"interpret of {answer!r} returned {said!r}, not a tuple of observations",
            )
            for one in said:
                require(
                    not isinstance(one, Unreadable) or answer.raw in one.raw,
                    f"interpret of {answer!r} says {one!r}: keep the answer's raw text in it",
                )
                require(
                    not _has_no_number(one),
                    f"interpret of {answer!r} says {one!r}: that is no measurement",
                )

    def test_questions_change_nothing(self) -> None:
        """They may be asked at any time: none of their frames is a control frame."""
        adapter, asset = self._ready()
        asked = self._pure("questions", (asset,), lambda: adapter.questions(asset))
        require(isinstance(asked, tuple), f"questions returned {asked!r}, not a tuple")
        for payload in asked:
            require(payload.frames, "a question without frames asks nothing")
            marked = [one.action for one in payload.frames if one.control]
            require(not marked, f"the question {marked} is marked control: set control=False")
        require(adapter.questions(asset) == asked, "questions differ for the same asset")

    # --- how it is tried

    def _ready(self) -> tuple[AdapterPlugin, AssetView]:
        adapter = self.adapter()
        return adapter, self.view(self.read_options(adapter))

    def _spelled(self) -> Iterator[tuple[Command, Payload | None]]:
        """Yield each command with its payload, null where it was refused."""
        adapter, asset = self._ready()
        for command, attempt in self.commands():
            yield command, self._translated(adapter, command, asset, attempt)

    def _translated(
        self, adapter: AdapterPlugin, command: Command, asset: AssetView, attempt: Attempt
    ) -> Payload | None:
        try:
            return adapter.translate(command, asset, attempt)
        except Untranslatable as refusal:
            require(str(refusal), f"translate refuses {command.type} without saying why")
            return None
        except Exception as error:
            raise AssertionError(
                f"translate of {command.type} ({command.value_kw} kW, form {attempt.form}) "
                f"raised {error!r}: raise Untranslatable for what there is no form for"
            ) from error

    def _interpreted(self, adapter: AdapterPlugin, arguments: tuple[Answer, AssetView]) -> Any:  # noqa: ANN401 - it may have returned anything
        answer, asset = arguments
        try:
            said, asked = impure_calls(lambda: adapter.interpret(answer, asset))
        except Exception as error:
            raise AssertionError(f"interpret of {answer!r} raised {error!r}") from error
        require(not asked, f"interpret calls {', '.join(asked)}: it has to be pure")
        return said

    def _pure(self, name: str, arguments: Any, function: Callable[[], T]) -> T:  # noqa: ANN401 - a tuple of what it gets
        """Return what a function returns; it has to leave its arguments and the world alone."""
        before = copy.deepcopy(arguments)
        result, asked = impure_calls(function)
        require(not asked, f"{name} calls {', '.join(asked)}: it has to be pure")
        require(before == arguments, f"{name} changed its arguments from {before} to {arguments}")
        return result


def _answers() -> Iterator[Answer]:
    """Yield answers that no device gives, and some with every outcome there is."""
    for value in _GARBAGE:
        yield Answer("garbage", values=(value,))
        yield Answer("garbage", values=(value, value, value))
    for outcome in get_args(Outcome):
        yield Answer("", outcome)
        yield Answer("garbage", outcome, (None,), "a reason")


def _has_no_number(observation: object) -> bool:
    """Return whether a field is a number that is none."""
    fields = msgspec.structs.asdict(observation) if isinstance(observation, msgspec.Struct) else {}
    return any(isinstance(one, float) and not math.isfinite(one) for one in fields.values())
