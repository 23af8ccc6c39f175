"""How a figure grows with the number of orders: a plot with logarithmic axes as an SVG, and the exponent of the line
through its points. The exponent 1 means: twice the orders, twice the figure."""

import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 660, 420, 70, 40, 44, 52
COLOURS = ["#1f5fa8", "#b3541e", "#3a7d44", "#7a3e9d"]


def exponent(points):
    """The slope of the least squares through the logarithms; None for fewer than two points."""
    if len({n for n, _ in points}) < 2:
        return None
    logs = [(math.log(n), math.log(value)) for n, value in points]
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread


def told(number):
    return f"{number:,.0f}" if number >= 1 else f"{number:g}"


class Axis:
    """Decades from the lowest value to the highest."""

    def __init__(self, values, begin, end):
        self.low, self.high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self.high = max(self.high, self.low + 1)
        self.begin, self.end = begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def decades(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def text(x, y, words, anchor="middle", size=12, fill="#333", turn=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"{turn}>{words}</text>')


def line(x1, y1, x2, y2, stroke="#ddd"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"/>'


def plot(path, title, unit, series):
    """`series`: what is drawn, by name, as (orders, figure). Returns the exponents by name."""
    exponents = {name: exponent(points) for name, points in series.items()}
    across = Axis([n for points in series.values() for n, _ in points], LEFT, WIDTH - RIGHT)
    up = Axis([value for points in series.values() for _, value in points], HEIGHT - BOTTOM, TOP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', text(WIDTH / 2, 22, title, size=15)]
    for n in across.decades():
        parts += [line(across.at(n), TOP, across.at(n), HEIGHT - BOTTOM), text(across.at(n), HEIGHT - BOTTOM + 18, told(n))]
    for value in up.decades():
        parts += [line(LEFT, up.at(value), WIDTH - RIGHT, up.at(value)), text(LEFT - 6, up.at(value) + 4, told(value), "end")]
    parts += [text(WIDTH / 2, HEIGHT - 12, "orders"),
              text(16, HEIGHT / 2, unit, turn=f' transform="rotate(-90 16 {HEIGHT / 2:.0f})"')]
    for place, (name, points) in enumerate(series.items()):
        colour = COLOURS[place % len(COLOURS)]
        drawn = [(across.at(n), up.at(value)) for n, value in sorted(points)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn) + '"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in drawn]
        slope = exponents[name]
        grows = "" if slope is None else f", exponent {slope:.2f}"
        parts.append(text(LEFT + 10, TOP + 18 + 18 * place, name + grows, "start", fill=colour))
    with open(path, "w") as file:
        file.write("\n".join([*parts, "</svg>"]) + "\n")
    return exponents
