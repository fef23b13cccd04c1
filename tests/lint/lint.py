#!/usr/bin/python3
"""lint.py CHECK: rules about the source tree that no compiler checks. Exit status 1: broken."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LINES = 500
SOURCES = (".cc", ".h", ".inc", ".cu", ".cuh")


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SOURCES:
                yield path


def includes(path, pattern):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r"\s*#\s*include\s+" + pattern, line)
        if match:
            yield number, match.group(1)


def module_order():
    """The modules in the order of CMakeLists.txt."""
    text = (ROOT / "CMakeLists.txt").read_text()
    order = []
    for match in re.finditer(r"pbatch_(?:(kernel|cuda)_module\(|module\((\w+))", text):
        name = match.group(1) or match.group(2)
        if name not in order:
            order.append(name)
    return order


def check_order():
    """A module includes only itself, modules before it and the public headers."""
    order = module_order()
    if len(order) < 10:
        yield f"CMakeLists.txt: only {len(order)} modules found; mend this check"
    for path in sources("src"):
        module = path.relative_to(ROOT / "src").parts[0]
        if module not in order:
            yield f"{path.relative_to(ROOT)}: module '{module}' is not in CMakeLists.txt"
            continue
        for number, name in includes(path, r'"([^"]+)"'):
            target = name.split("/")[0]
            if target == "pbatch" or target not in order:
                continue
            if order.index(target) > order.index(module):
                yield (f"{path.relative_to(ROOT)}:{number}: module '{module}' includes '{name}'; "
                       f"'{target}' comes after it")


def check_length():
    """Small files."""
    for path in sources("src", "cli", "include", "tests", "fuzz", "bench", "ort"):
        lines = len(path.read_text().splitlines())
        if lines > MAX_LINES:
            yield f"{path.relative_to(ROOT)}: {lines} lines, more than {MAX_LINES}; split it"


def check_kernels():
    """Kernels, and what they include, use C headers and intrinsics only."""
    allowed = re.compile(r".*\.h$|c(stdint|stddef|string)$")
    todo = [p for f in ("generic", "avx2", "avxvnni", "avx512", "neon", "neon_dot")
            for p in sources(f"src/kernel/{f}")]
    if not todo:
        yield "src/kernel: no kernels found; mend this check"
    seen = set(todo)
    while todo:
        path = todo.pop()
        for number, name in includes(path, r"<([^>]+)>"):
            if not allowed.match(name):
                yield (f"{path.relative_to(ROOT)}:{number}: <{name}> may leave inline code of one "
                       "instruction set in the whole program; use C headers")
        for _, name in includes(path, r'"([^"]+)"'):
            for folder in (ROOT / "src", ROOT / "include", path.parent):
                target = folder / name
                if target.exists() and target not in seen:
                    seen.add(target)
                    todo.append(target)


def tracked():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True)
    if listed.returncode == 0:
        return [ROOT / n for n in listed.stdout.decode().split("\0") if n]
    return [p for p in ROOT.rglob("*")   # an unpacked archive
            if p.is_file() and not {"build", ".git"} & set(p.relative_to(ROOT).parts)]


def check_paths():
    """Nothing in the tree names one machine, one package registry or our name's namesake."""
    # Written in pieces, so that this file passes too.
    words = ["/" + "work/", "/" + "root/", "/" + "home/", "pypi" + ".org",
             "files.python" + "hosted", "registry." + "npmjs", "deb." + "debian.org",
             "proxy." + "golang",
             "pip install " + "pbatch"]   # another project's package
    for path in tracked():
        if not path.is_file():
            continue
        data = path.read_bytes()
        for word in words:
            at = data.find(word.encode())
            if at >= 0:
                line = data.count(b"\n", 0, at) + 1
                yield f"{path.relative_to(ROOT)}:{line}: names '{word}'"


CHECKS = {"order": check_order, "length": check_length, "kernels": check_kernels,
          "paths": check_paths}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        raise SystemExit(f"usage: lint.py {'|'.join(CHECKS)}")
    problems = list(CHECKS[sys.argv[1]]())
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
