"""Plots of how a cost grows, as SVG: both axes in powers of ten."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import attrs

_WIDTH = 560
_HEIGHT = 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 40, 44, 54
_WHOLE = 100  # from here on there are no decimals
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.title{font-size:14px}.grid{stroke:#ddd}"
    ".line{fill:none;stroke:#0b6e99;stroke-width:2}.point{fill:#0b6e99}"
    ".beside{fill:none;stroke:#999;stroke-width:1.5;stroke-dasharray:5 4}"
)

Point = tuple[float, float]


@attrs.frozen
class Plot:
    """Figures by size, and what they are beside; all above zero."""

    title: str
    across: str
    up: str
    points: Sequence[Point]
    beside: Sequence[Point]
    beside_name: str


@attrs.frozen
class _Axis:
    """Powers of ten from ``low`` to ``high``, and the pixels where they begin and end."""

    low: int
    high: int
    begin: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], begin: float, end: float) -> "_Axis":
        low = math.floor(math.log10(min(values)))
        return cls(low, max(low + 1, math.ceil(math.log10(max(values)))), begin, end)

    def place(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def svg(plot: Plot) -> str:
    """Return a plot as an SVG document."""
    everything = [*plot.points, *plot.beside]
    across = _Axis.over([x for x, _ in everything], _LEFT, _WIDTH - _RIGHT)
    up = _Axis.over([y for _, y in everything], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(plot.title)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_WIDTH / 2, 22, plot.title, "middle", "title"),
        *_grid(across, up),
        _text(_WIDTH / 2, _HEIGHT - 12, plot.across, "middle"),
        _text(8, _TOP - 12, plot.up),
        _line("beside", plot.beside, across, up),
        _line("line", plot.points, across, up),
        *(_labelled(x, y, across, up) for x, y in plot.points),
        _text(_WIDTH - _RIGHT, _TOP - 12, f"dashed: {plot.beside_name}", "end"),
        "</svg>\n",
    ]
    return "\n".join(parts)


def number(value: float) -> str:
    """Return a number to three digits, the way people write it."""
    if value >= _WHOLE:
        return f"{value:,.0f}"
    digits = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits > 0 else f"{value:.0f}"


def _grid(across: _Axis, up: _Axis) -> list[str]:
    parts = []
    for value in across.ticks():
        x = across.place(value)
        parts.append(f'<path class="grid" d="M{x} {up.begin}V{up.end}"/>')
        parts.append(_text(x, up.begin + 18, number(value), "middle"))
    for value in up.ticks():
        y = up.place(value)
        parts.append(f'<path class="grid" d="M{across.begin} {y}H{across.end}"/>')
        parts.append(_text(across.begin - 8, y + 4, number(value), "end"))
    return parts


def _line(name: str, points: Sequence[Point], across: _Axis, up: _Axis) -> str:
    places = " ".join(f"{across.place(x)},{up.place(y)}" for x, y in points)
    return f'<polyline class="{name}" points="{places}"/>'


def _labelled(x: float, y: float, across: _Axis, up: _Axis) -> str:
    at, height = across.place(x), up.place(y)
    circle = f'<circle class="point" cx="{at}" cy="{height}" r="4"/>'
    return circle + _text(at, height - 10, number(y), "middle")


def _text(x: float, y: float, said: str, anchor: str = "start", name: str = "label") -> str:
    return f'<text class="{name}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(said)}</text>'
