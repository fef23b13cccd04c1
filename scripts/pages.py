"""What the scripts that write docs/ share: tables in Markdown, the part of a page between two marks, the looks
of pictures. Tables need nothing but Python, pictures matplotlib."""

INK, FAINT = "#333333", "#d9d9d9"


def line(cells):
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


def head(titles):
    """Its first two."""
    return line(titles) + "\n" + "|" + "---|" * len(titles)


def table(titles, rows):
    return "\n".join([head(titles), *map(line, rows)])


def rewrite(page, begin, end, text):
    """The page with `text` between the marks, each of which it has once; None if it has not."""
    if page.count(begin) != 1 or end not in page.split(begin)[1]:
        return None
    before, rest = page.split(begin)
    return before + begin + "\n\n" + text + "\n" + end + rest.split(end, 1)[1]


def pyplot():
    """matplotlib.pyplot, which draws into files, the same bytes each time."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plot
    plot.rcParams.update({"font.size": 10, "font.family": "DejaVu Sans", "svg.hashsalt": "pbatch"})
    return plot


def quiet(axes):
    """Axes with nothing but what is needed."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)


def save(figure, file, kind):
    figure.savefig(file, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None)
