"""The figure: metric against speed-up over float, a panel for each network."""

import io
import math

import common
import tables  # and with it the folder of pages
import pages
from pages import FAINT, INK

OURS = {8: ("#0b5fa5", "o", 10.5), 16: ("#1f8577", "s", 9.5), 32: ("#6a8f1f", "D", 8.8)}
INT8, INT4 = "#b5482f", "#7a4fa3"
NOTE = ("Up and right is better in every panel; numbers are weight bits; hollow: worse than the "
        "range shown")


def pyplot():
    common.package("matplotlib")
    return pages.pyplot()


def worst_shown(metric, document):
    """How bad a value may be and still be in the picture: at 1 and 2 bits some explode."""
    whole = tables.float_row(document)[metric.key]
    if metric.against_float:
        return 1.0
    if metric.higher_is_better:
        return whole - (0.3 if metric.percent else 1.0) * abs(whole)
    return 2 * whole


def all_values(metric, document):
    rows = [*document["results"][1 if metric.against_float else 0:],
            document.get("naive_int4") or {}]
    return [v for v in (tables.number(row.get(metric.key)) for row in rows) if v is not None]


def limits_of(metric, document):
    """(worst, best) of the axis."""
    cap = worst_shown(metric, document)
    shown = [v for v in all_values(metric, document)
             if (v >= cap if metric.higher_is_better else v <= cap)] or [cap]
    worst, best = (min(shown), max(shown)) if metric.higher_is_better else (max(shown), min(shown))
    if metric.against_float:
        return worst * 1.6, max(best, 1e-7) / 1.6
    margin = 0.09 * (best - worst) or math.copysign(0.05 * abs(best) or 1, 1 if
                                                    metric.higher_is_better else -1)
    return worst - margin, best + margin


def place(value, limits):
    """Where a value is drawn, and whether it is in the range."""
    worst, best = limits
    if value is None or (value < worst if worst < best else value > worst):
        return worst, False
    return value, True


def draw_line(axes, metric, document, abits, limits, layer):
    colour, marker, size = OURS.get(abits, OURS[32])
    points = [(row["speedup_vs_f32"], *place(tables.number(row.get(metric.key)), limits),
               row["weight_bits"])
              for row in sorted(tables.ours(document, abits), key=lambda r: r["weight_bits"])]
    axes.plot([p[0] for p in points], [p[1] for p in points], color=colour, linewidth=1.3,
              alpha=0.6, zorder=3)
    for i, (x, y, inside, bits) in enumerate(points):
        order = 5 + layer + 0.02 * i  # a number is hidden with its marker, not above another's
        axes.plot([x], [y], linestyle="none", color=colour, marker=marker, markersize=size,
                  markerfacecolor=colour if inside else "white", markeredgewidth=1.2,
                  markeredgecolor="white" if inside else colour, zorder=order, clip_on=False)
        axes.text(x, y, str(bits), ha="center", va="center_baseline", fontsize=7, zorder=order + 0.01,
                  color="white" if inside else colour, fontweight="bold")


def draw_references(axes, metric, document, limits):
    whole, int8 = tables.float_row(document), tables.int8_row(document)
    axes.axvline(1, color=INK, linewidth=0.8, linestyle=":", zorder=1)
    if metric.against_float:  # 0 is not on a log axis
        axes.text(1, 0.985, " float", va="top", fontsize=8.5, color=INK, zorder=2,
                  transform=axes.get_xaxis_transform())
    else:
        axes.axhline(whole[metric.key], color=INK, linewidth=0.8, linestyle=":", zorder=1)
        axes.plot([1], [whole[metric.key]], marker="*", markersize=13, color=INK,
                  linestyle="none", zorder=9, clip_on=False)
    if int8:
        y, inside = place(tables.number(int8.get(metric.key)), limits)
        axes.plot([int8["speedup_vs_f32"]], [y], marker="X", markersize=10, color=INT8,
                  markerfacecolor=INT8 if inside else "white", linestyle="none", zorder=9,
                  markeredgecolor="white" if inside else INT8, clip_on=False)
    int4 = tables.number((document.get("naive_int4") or {}).get(metric.key))
    if int4 is not None:
        y, inside = place(int4, limits)
        if inside:
            axes.axhline(y, color=INT4, linewidth=1.3, linestyle="--", zorder=2)
        else:
            axes.text(0.02, 0.035, f"int4, one scale per tensor:\n{metric.text(int4)}", color=INT4,
                      fontsize=8.5, transform=axes.transAxes, zorder=9)


def speed_ticks(least, most):
    """Powers of two, and numbers between them where those are few."""
    powers = [2.0 ** i for i in range(-6, 12)]
    ticks = powers if most > 8 * least else sorted(powers + [0.6, 0.8, 1.2, 1.5, 2.5, 3, 5, 6, 10,
                                                             12, 20, 24])
    return [t for t in ticks if least / 1.2 <= t <= most * 1.2]


def set_axes(axes, metric, document, limits):
    ticker = common.package("matplotlib.ticker")
    speeds = [row["speedup_vs_f32"] for row in document["results"]]
    axes.set_xscale("log")
    axes.set_xlim(min(speeds) / 1.22, max(speeds) * 1.22)
    axes.xaxis.set_major_locator(ticker.FixedLocator(speed_ticks(min(speeds), max(speeds))))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_xlabel("times as fast as float", color=INK)
    if metric.against_float:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.set_ylim(*limits)
    scale = 100 if metric.percent else 1
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(
        lambda y, _: f"{round(scale * y, 6):g}{' %' if metric.percent else ''}"))
    reversed_axis = "" if metric.higher_is_better else " (axis reversed)"
    axes.set_ylabel(metric.name + reversed_axis, color=INK)
    axes.grid(color=FAINT, linewidth=0.7, zorder=0)
    pages.quiet(axes)


def wrap(text, width=66):
    return text if len(text) <= width else text[:text.rfind(",", 0, width)] + ", …"


def draw_panel(axes, title, metric, document):
    limits = limits_of(metric, document)
    set_axes(axes, metric, document, limits)
    draw_references(axes, metric, document, limits)
    for layer, abits in enumerate(reversed(tables.activation_widths(document))):
        draw_line(axes, metric, document, abits, limits, layer)
    axes.set_title(title, loc="left", color=INK, fontsize=11.5, pad=20)
    axes.text(0, 1.025, wrap(tables.layers(document)), transform=axes.transAxes, fontsize=8.5,
              color="#666666")


def legend_handles(documents):
    line = common.package("matplotlib.lines").Line2D
    widths = sorted({w for document in documents for w in tables.activation_widths(document)})
    handles = [line([], [], color=OURS[w][0], marker=OURS[w][1], markersize=9, linewidth=1.3,
                    label=f"pbatch, {w}-bit activations") for w in widths]
    star = {"linestyle": "none", "markersize": 12}
    handles.append(line([], [], marker="*", color=INK, **star,
                        label="float, the faster of oneDNN and OpenBLAS"))
    handles.append(line([], [], marker="X", color=INT8, **star, markeredgecolor="white",
                        label="int8 by oneDNN: dynamic, a scale per row"))
    handles.append(line([], [], color=INT4, linestyle="--", linewidth=1.3,
                        label="int4, one scale per tensor: metric only"))
    return handles


def picture(panels, columns=3, kind="png"):
    """The bytes of a picture of (title, metric, document) panels."""
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    free = rows * columns - len(panels)
    below = 0.55 if free else 1.1 if columns > 2 else 1.25
    width, height = 5.3 * columns if columns > 1 else 6.6, 4.3 * rows + below
    figure, grid = pyplot().subplots(rows, columns, figsize=(width, height), squeeze=False)
    places = list(grid.flat)
    for axes, panel in zip(places, panels):
        draw_panel(axes, *panel)
    for axes in places[len(panels):]:
        axes.set_axis_off()
    figure.subplots_adjust(left=0.85 / width, right=1 - 0.3 / width, top=1 - 0.62 / height,
                           bottom=(below + 0.55) / height, wspace=0.24, hspace=0.42)
    handles = legend_handles([panel[2] for panel in panels])
    style = {"handles": handles, "frameon": False, "fontsize": 9.5}
    if free:
        places[len(panels)].legend(loc="center left", labelspacing=1.1, **style)
    else:
        figure.legend(loc="lower left", ncol=3 if columns > 2 else 2,
                      bbox_to_anchor=(0.5 / width, 0.42 / height), **style)
    small = {"fontsize": 7.5, "color": "#666666", "transform": figure.transFigure}
    figure.text(0.12 / width, 0.28 / height, NOTE, **small)
    figure.text(0.12 / width, 0.1 / height, tables.conditions(panels[0][2]), **small)
    buffer = io.BytesIO()
    pages.save(figure, buffer, kind)
    pyplot().close(figure)
    return buffer.getvalue()
