"""Owns drawing: lines over a logarithmic axis, as SVG that can be read on a light and on a dark page."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

Points = Sequence[tuple[float, float]]

WIDTH: Final = 760
HEIGHT: Final = 420
LEFT: Final = 70
RIGHT: Final = 190
TOP: Final = 40
BOTTOM: Final = 50
"""Pixels around the drawing; on the right stand the names."""

LINE: Final = 16
"""Pixels between the names."""

ENOUGH: Final = 3
"""Marks on an axis."""

COLOURS: Final = ("#d1495b", "#8d99ae", "#2e86ab", "#3fa34d", "#e09f3e", "#7b4fa3", "#00798c", "#9c6644")
"""Of the first word of a name, in the order in which these come: the same in all pictures. All stand out from white
and from black."""

STYLE: Final = (
    "text{font:12px sans-serif;fill:#57606a}.title{font-size:14px;font-weight:bold}"
    ".grid{stroke:#8b949e;stroke-opacity:.3}.line{fill:none;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}"
)


@dataclass(frozen=True)
class Chart:
    """Named lines. Both axes are logarithmic: contenders differ by factors, and so do loads.

    Attributes:
        series: points of each name, ascending; a name that ends in `(p50)` is drawn dashed.
    """

    title: str
    x: str
    y: str
    series: Mapping[str, Points]

    def svg(self) -> str:
        """The picture; a remark in it if there is nothing to draw."""
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
                f"<title>{escape(self.title)}</title><style>{STYLE}</style>",
                f'<text class="title" x="{LEFT}" y="22">{escape(self.title)}</text>',
                *self._drawing(),
                "</svg>\n",
            )
        )

    def _drawing(self) -> Iterator[str]:
        points = [(x, y) for line in self.series.values() for x, y in line if x > 0 and y > 0]
        if not points:
            yield f'<text x="{LEFT}" y="{HEIGHT / 2}">nothing was measured</text>'
            return
        across = Axis.over([x for x, _ in points], LEFT, WIDTH - RIGHT)
        up = Axis.over([y for _, y in points], HEIGHT - BOTTOM, TOP)
        yield from self._grid(across, up)
        places = _apart({name: up.at(line[-1][1]) for name, line in self.series.items() if line})
        whose = list(dict.fromkeys(name.split(" ")[0] for name in self.series))
        for name, line in self.series.items():
            if line:
                colour = COLOURS[whose.index(name.split(" ")[0]) % len(COLOURS)]
                yield from _line(name, line, colour, across, up, places[name])

    def _grid(self, across: "Axis", up: "Axis") -> Iterator[str]:
        for value in across.marks():
            x = across.at(value)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_short(value)}</text>'
        for value in up.marks():
            y = up.at(value)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>'
        middle = (LEFT + WIDTH - RIGHT) / 2
        yield f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(self.x)}</text>'
        turned = f'transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})"'
        yield f'<text x="16" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" {turned}>{escape(self.y)}</text>'


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis from the value `low` at the pixel `start` to `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "Axis":
        """With a little room on both sides."""
        return cls(min(values) / 1.2, max(values) * 1.2, start, end)

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def marks(self) -> list[float]:
        """Round values to write beside it: 1, 2 and 5 of each power of ten, or more where these are too few."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for digits in (1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7):
            marks = [digit * 10.0**power for power in powers for digit in digits]
            found = [mark for mark in marks if self.low <= mark <= self.high]
            if len(found) >= ENOUGH:
                break
        return found


def _line(name: str, points: Points, colour: str, across: Axis, up: Axis, beside: float) -> Iterator[str]:
    drawn = [(across.at(x), up.at(y)) for x, y in points if x > 0 and y > 0]
    dashed = ' stroke-dasharray="4 4"' if name.endswith("(p50)") else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    yield f'<polyline class="line" stroke="{colour}"{dashed} points="{path}"/>'
    yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in drawn)
    x, y = WIDTH - RIGHT + 14, beside
    yield f'<line x1="{drawn[-1][0]:.1f}" y1="{drawn[-1][1]:.1f}" x2="{x - 3}" y2="{y:.1f}" class="grid"/>'
    yield f'<text x="{x}" y="{y + 4:.1f}" style="fill:{colour}">{escape(name)}</text>'


def _apart(places: Mapping[str, float]) -> dict[str, float]:
    """Heights as near to the wanted ones as names that do not overlap can be."""
    apart: dict[str, float] = {}
    last = -math.inf
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        last = apart[name] = max(place, last + LINE)
    over = max(apart.values(), default=0) - (HEIGHT - BOTTOM)
    return {name: place - max(over, 0) for name, place in apart.items()}


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
