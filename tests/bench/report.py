# SPDX-License-Identifier: ISC
"""The table, as text while it grows, and in the end as JSON and as a plot."""

import json
import math

COLOURS = {"floor": "#7a7a7a", "mpop": "#c2803a", "fetchpop": "#2b6cb0", "fetch": "#38855a",
           "getmail": "#a8a032", "fetchmail": "#b5546f",
           "memory": "#8d4fa8", "parent": "#8d4fa8"}
WORDS = {"fetch": "fetchpop, fetching all", "memory": "fetchpop, private kB / 1000",
         "parent": "parent, private kB / 1000", "floor": "floor, all seen",
         "fetchpop": "fetchpop, all seen"}


class Report:
    """What was found, in the order in which it was found."""

    def __init__(self):
        self.results = []  # of {"title", "rows", "aims", "notes", "figures"}
        self.all_series = {}

    def title(self, text):
        self.results.append({"title": text, "rows": [], "aims": [], "notes": [], "figures": {}})
        print(f"\n{text}", flush=True)

    def row(self, name, seconds, cpu, ratio, every, note=""):
        if not self.results[-1]["rows"]:
            print(f"  {'':34}{'seconds':>9}{'CPU s':>9}{'x floor':>9}")
        self.results[-1]["rows"].append({"client": name, "seconds": seconds, "cpu": cpu,
                                         "ratio": ratio, "all": every, "note": note})
        shown = f"{ratio:9.2f}" if ratio is not None else f"{'':9}"
        print(f"  {name:34}{seconds:9.4f}{cpu:9.4f}{shown}{'   ' + note if note else ''}",
              flush=True)

    def aim(self, what, value, aim, good, sign):
        self.results[-1]["aims"].append({"what": what, "value": value, "aim": aim, "met": good})
        print(f"  {what:52}{value:9.3f}   aim {sign} {aim:g}{'' if good else '   MISSED'}",
              flush=True)

    def at_most(self, what, value, aim):
        self.aim(what, value, aim, value <= aim, "<=")

    def at_least(self, what, value, aim):
        self.aim(what, value, aim, value >= aim, ">=")

    def note(self, text):
        self.results[-1]["notes"].append(text)
        print(f"  {text}", flush=True)

    def figure(self, what, value):
        self.results[-1]["figures"][what] = value

    def series(self, name, values):
        self.all_series[name] = values

    def aims(self):
        return [dict(aim, title=result["title"]) for result in self.results
                for aim in result["aims"]]

    def conclude(self):
        missed = [aim for aim in self.aims() if not aim["met"]]
        print(f"\n{len(self.aims())} aims, {len(missed)} missed")
        for aim in missed:
            print(f"  {aim['title']}: {aim['what']} {aim['value']:.3f}, aim {aim['aim']:g}")

    def write_json(self, path, about):
        with open(path, "w", encoding="ascii") as out:
            json.dump({"about": about, "results": self.results, "series": self.all_series}, out,
                      indent=1)
            out.write("\n")

    def write_svg(self, path, about):
        plot = Plot()
        plot.text(20, 28, "fetchpop: seconds against the wire floor", size=17)
        plot.text(20, 46, about, size=11, colour="#555")
        plot.bars([result for result in self.results if result["rows"]
                   and result["rows"][0]["ratio"] is not None])
        for number, (name, values) in enumerate(self.all_series.items()):
            plot.curves(20 + 450 * number, name, values)
        with open(path, "w", encoding="ascii") as out:
            out.write(plot.end())


def nice(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


class Plot:
    """An SVG, 920 wide and as high as it gets."""

    def __init__(self):
        self.parts, self.bottom = [], 70

    def text(self, x, y, words, size=12, colour="#222", anchor="start"):
        words = str(words).replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
                          f'text-anchor="{anchor}">{words}</text>')

    def line(self, x1, y1, x2, y2, colour="#ccc", width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def bars(self, results):
        """A group for each workload: a bar each client, its length the seconds as a multiple of
        the floor's, cut off at 8; a black tick where the aim is."""
        left, unit, limit = 330, 52.0, 8
        for result in results:
            self.text(left - 10, self.bottom + 16, result["title"], anchor="end")
            top = self.bottom
            for row in result["rows"]:
                width = min(row["ratio"], limit) * unit
                self.parts.append(
                    f'<rect x="{left}" y="{self.bottom + 4}" width="{width:.1f}" height="12" '
                    f'fill="{COLOURS[row["client"]]}"/>')
                more = " >" if row["ratio"] > limit else ""
                self.text(left + width + 5, self.bottom + 14, f"{row['client']} "
                          f"{row['ratio']:.2f} ({row['seconds']:.3g} s){more}", size=10)
                self.bottom += 15
            for aim in result["aims"]:
                if aim["what"] == "fetchpop : floor":
                    at = left + aim["aim"] * unit
                    self.line(at, top + 2, at, self.bottom + 3, "#000", 1.5)
            self.bottom += 10
        self.bottom += 25

    def curves(self, left, name, values):
        """Seconds against the number of messages or accounts, both logarithmic."""
        top, width, height = self.bottom + 25, 330, 260
        shown = {key: [(x, y / 1000 if key in ("memory", "parent") else y) for x, y in points]
                 for key, points in values.items() if points}
        every = [point for points in shown.values() for point in points]
        least_x, most_x = (f(x for x, _ in every) for f in (min, max))
        low, high = (math.floor(math.log10(min(y for _, y in every))),
                     math.ceil(math.log10(max(y for _, y in every))))

        def place(x, y):
            span = math.log10(most_x / least_x) or 1
            return (left + 45 + width * math.log10(x / least_x) / span,
                    top + height - height * (math.log10(y) - low) / ((high - low) or 1))

        for power in range(low, high + 1):
            _, y = place(least_x, 10.0 ** power)
            self.line(left + 45, y, left + 45 + width, y)
            self.text(left + 40, y + 4, nice(10.0 ** power), size=10, anchor="end")
        for x in sorted({x for x, _ in every}):
            self.text(place(x, 10.0 ** low)[0], top + height + 15, nice(x), size=10,
                      anchor="middle")
        self.text(left + 45, top - 8, f"growth with {name}: seconds", size=13)
        for number, (key, points) in enumerate(shown.items()):
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
            colour = COLOURS[key]
            self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                              'stroke-width="2"/>')
            for x, y in (place(*point) for point in points):
                self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            words = WORDS[key] if name == "messages" else WORDS[key].split(", all")[0]
            self.text(left + 55, top + height + 34 + 14 * number, words, size=11, colour=colour)

    def end(self):
        height = self.bottom + 400
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="920" height="{height}" '
                f'viewBox="0 0 920 {height}" font-family="sans-serif">\n'
                f'<rect width="920" height="{height}" fill="#fff"/>\n' + "\n".join(self.parts)
                + "\n</svg>\n")
