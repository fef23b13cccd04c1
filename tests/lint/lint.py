#!/usr/bin/python3
"""lint.py CHECK: rules about the source tree that no compiler checks. Exit status 1: broken."""

import pathlib
import re
import shutil
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


def devices():
    """The folders of src/ that devices.inc names."""
    return re.findall(r"^PBATCH_DEVICE\((\w+), \d+\)", (ROOT / "src/device/devices.inc").read_text(), re.M)


def device_modules():
    return "\n".join(f"pbatch_module({name} DEPENDS accelerator)" for name in devices())


def modules():
    """The modules in the order of CMake, by folder: the parts and the dependencies that it names."""
    found = {}
    for top, file in (("src", "CMakeLists.txt"), ("tools", "tools/CMakeLists.txt")):
        text = re.sub(r"pbatch_devices\(\)", device_modules(), (ROOT / file).read_text())
        for kind, words in re.findall(r"pbatch_(?:(kernel|cost)_module|(?:module|tool))\(([^)]*)\)", text):
            name, *words = ([kind] if kind else []) + words.split()
            lists = {"PARTS": [], "DEPENDS": []}
            for word in words:
                if word in ("PARTS", "DEPENDS", "LINKS", "SOURCES"):
                    into = lists.setdefault(word, [])
                else:
                    into.append(word)
            found.setdefault(f"{top}/{name}", (lists["PARTS"], lists["DEPENDS"]))
    return found


def with_all_below(found):
    """By module, what it depends on, also through others; None for one that is not before it."""
    folder_of = {folder.split("/")[1]: folder for folder in found}
    below = {}
    for folder, (_, depends) in found.items():
        direct = [folder_of.get(name) for name in depends]
        below[folder] = {folder}
        for other in direct:
            below[folder] |= below.get(other, {None})
    return below


def may_include(here, there, parts):
    """Whether a file in folder `here` of a module may include one in `there`: in the same folder, in
    those around it, and in parts before its own."""
    if there == here or there == "." or here.startswith(there + "/"):
        return True
    return here in parts and there in parts and parts.index(there) < parts.index(here)


def check_order():
    """A module includes only itself, what it depends on by CMake and the public headers."""
    found = modules()
    if len(found) < 20:
        yield f"CMakeLists.txt: only {len(found)} modules found; mend this check"
    below = with_all_below(found)
    for folder in found:
        if None in below[folder]:
            yield f"CMakeLists.txt: '{folder}' depends on a module that is not before it"
    for path in sources("src", "tools"):
        name = path.relative_to(ROOT)
        folder = "/".join(name.parts[:2])
        if folder not in found:
            yield f"{name}: module '{folder}' is not in CMakeLists.txt"
            continue
        for number, included in includes(path, r'"([^"]+)"'):
            if included == "pbatch/session.h" and name.parts[0] == "src" and folder != "src/api":
                yield f"{name}:{number}: includes '{included}', which is made of it; plan.h or network.h?"
            target = pathlib.Path(included if included.startswith("tools/") else f"src/{included}")
            if not (ROOT / target).exists() or (target.suffix == ".inc" and target.parts[1] == name.parts[1]):
                continue   # public, generated, or a table
            other = "/".join(target.parts[:2])
            if other not in below[folder]:
                yield f"{name}:{number}: includes '{included}', but '{folder}' does not depend on '{other}'"
            elif other == folder and not may_include(
                    str(name.parent.relative_to(folder)), str(target.parent.relative_to(folder)),
                    found[folder][0]):
                yield f"{name}:{number}: includes '{included}', which lies above it"


def check_libraries():
    """A large library's header is included in one file of each part that uses it."""
    only = {"CLI/CLI.hpp": ("cli/options.h",), "nlohmann/json.hpp": ("cli/json.h", "src/format/json.h")}
    for path in sources("src", "tools", "cli", "include", "ort", "python"):
        name = path.relative_to(ROOT).as_posix()
        for number, included in includes(path, r"<([^>]+)>"):
            if name not in only.get(included, (name,)):
                yield f"{name}:{number}: includes <{included}>; take {' or '.join(only[included])}"


def check_interface():
    """The command line includes the public headers and tools only; a public header has a source of its name."""
    for path in sources("cli"):
        for number, included in includes(path, r'"([^"]+)"'):
            if not re.match(r"(cli|pbatch|tools)/", included):
                yield f"{path.relative_to(ROOT)}:{number}: includes '{included}', of the library's inside; a tool?"
    types_alone = {"export.h", "integer.h", "network.h", "plan.h"}
    for path in sorted((ROOT / "include/pbatch").glob("*.h")):
        name = path.with_suffix(".cc").name
        found = any((ROOT / "src" / folder / name).exists() for folder in ("api", "base", "isa"))
        if path.name == "pbatch.h" or found == (path.name not in types_alone):
            continue
        yield f"include/pbatch/{path.name}: its source {name} must be in src/api (base, isa)"


def check_devices():
    """A device is its folder and its line: nothing else of the library, and no program, knows its code."""
    names = devices()
    if not names:
        yield "src/device/devices.inc: no devices found; mend this check"
    for name in names:
        for path in sources("src", "tools", "cli", "python"):
            here = path.relative_to(ROOT)
            if here.parts[:2] == ("src", name):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(rf'#include "{name}/|\b{name}::', line.split("//")[0]):
                    yield f"{here}:{number}: speaks of the device {name}; accelerator/ has what all devices have"


def check_length():
    """Small files."""
    for path in sources("src", "tools", "cli", "include", "tests", "fuzz", "bench", "ort"):
        lines = len(path.read_text().splitlines())
        if lines > MAX_LINES:
            yield f"{path.relative_to(ROOT)}: {lines} lines, more than {MAX_LINES}; split it"


def isas():
    """The lines of isas.inc: the flags of every ISA by its name."""
    text = (ROOT / "src/isa/isas.inc").read_text()
    return dict(re.findall(r'^PBATCH_ISA\((\w+), [^"]*, "([^"]*)", "[^"]*"\)', text, re.M))


def check_isas():
    """Every ISA has a folder and stands in the documentation with the flags that it is compiled with."""
    known = isas()
    documented = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| (?:`([^`]*)`)? *\|$",
                                 (ROOT / "docs/kernels.md").read_text(), re.M))
    if documented != known:
        yield f"docs/kernels.md: its table of ISAs says {documented}, src/isa/isas.inc {known}"
    folders = {path.name for path in (ROOT / "src/kernel").iterdir() if path.is_dir()}
    if folders != known.keys():
        yield f"src/kernel: folders {sorted(folders)}, but src/isa/isas.inc has {sorted(known)}"
    for path in (ROOT / "src/cost/costs").iterdir():
        if path.stem not in known:
            yield f"{path.relative_to(ROOT)}: costs of an ISA that src/isa/isas.inc has not"


def check_kernels():
    """Kernels, and what they include, use C headers and intrinsics only."""
    allowed = re.compile(r".*\.h$|c(stdint|stddef|string)$")
    todo = [p for isa in isas() for p in sources(f"src/kernel/{isa}")]
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


TYPE = re.compile(r"(?:template\b.*>\s*)?(?:struct|class|enum class|enum|using)\s+(\w+)"
                  r"(?=\s*(?:[:{=]|final|$))")
FUNCTION = re.compile(r"(?:inline |static |constexpr |const )*[\w:<>,*&\[\] ]+?[ *&>](\w+)\(.*[^;]$")
CONSTANT = re.compile(r"(?:inline |static |constexpr |const )*[\w:<>, *&]*?\b(\w+)\s*"
                      r"(?:\[[^\]]*\]\s*)?[={;]")
NO_DEFINITION = re.compile(r"using [\w:]+;|using namespace|namespace|return|TEST|INSTANTIATE|[^A-Za-z_]")


def unnamed_names(path):
    """What the unnamed namespaces of a file define at their first level: name and line."""
    inside = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("namespace {"):
            inside = True
        elif line.startswith("}  // namespace"):
            inside = False
        elif inside and line and not NO_DEFINITION.match(line):
            match = TYPE.match(line) or FUNCTION.match(line) or CONSTANT.match(line)
            if match:
                yield match.group(1), number


def check_names():
    """Sources of a module are compiled together: their unnamed namespaces have no name in common,
    and none with a type of its headers."""
    modules = [path for top in ("src", "tools", "tests") for path in sorted((ROOT / top).iterdir())
               if path.is_dir() and path != ROOT / "src/kernel"]   # whose sources stay alone
    for module in [*modules, ROOT / "cli"]:
        taken = {}
        for path in sorted(module.rglob("*.h")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = TYPE.match(line)
                if match:
                    taken.setdefault(match.group(1), f"{path.relative_to(ROOT)}:{number}")
        for path in sorted(module.rglob("*.cc")):
            own = {}
            for name, number in unnamed_names(path):
                own.setdefault(name, f"{path.relative_to(ROOT)}:{number}")   # with its overloads
            for name in own.keys() & taken.keys():
                yield f"{own[name]}: '{name}' is also in {taken[name]}; a name that says more helps"
            taken = own | taken


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


def check_format():
    """C++ as .clang-format says, by the version that it was written with."""
    program = shutil.which("clang-format-14")
    if program is None:
        print("skipped: clang-format-14 is not here")
        sys.exit(77)
    files = [str(path) for path in tracked() if path.suffix in (".cc", ".h", ".cu", ".cuh")]
    if not files:
        yield "no sources found; mend this check"
    for begin in range(0, len(files), 100):
        done = subprocess.run([program, "--dry-run", *files[begin:begin + 100]],
                              capture_output=True, text=True)
        for path, line in re.findall(r"^(/[^:]*):(\d+):.*clang-format-violations", done.stderr, re.M):
            yield f"{pathlib.Path(path).relative_to(ROOT)}:{line}: not as clang-format-14 -i leaves it"


def check_options():
    """Every number among the options of quantization stands where users look for it."""
    text = (ROOT / "include/pbatch/quantize_options.inc").read_text()
    names = re.findall(r"^PBATCH_QUANTIZE_OPTION\((\w+),", text, re.M)
    if len(names) < 4:
        yield f"include/pbatch/quantize_options.inc: only {len(names)} options found; mend this check"
    schemes = re.findall(r'^PBATCH_QUANTIZE_SCHEME\(\w+, \w+, \d+, "(\w+)"\)',
                         (ROOT / "include/pbatch/quantize_schemes.inc").read_text(), re.M)
    if len(schemes) < 3:
        yield f"include/pbatch/quantize_schemes.inc: only {len(schemes)} schemes found; mend this check"
    for name in schemes:
        if f"`{name}`" not in (ROOT / "docs/command-line.md").read_text():
            yield f"docs/command-line.md: says nothing of the scheme `{name}`"
    for page, shown in (("command-line.md", lambda n: "--" + n.replace("_", "-")),
                        ("onnxruntime-plugin.md", lambda n: f"`{n}`")):
        page_text = (ROOT / "docs" / page).read_text()
        for name in names:
            if shown(name) not in page_text:
                yield f"docs/{page}: says nothing of {shown(name)}"


CHECKS = {"options": check_options, "libraries": check_libraries, "devices": check_devices, "interface": check_interface, "isas": check_isas, "order": check_order, "length": check_length, "kernels": check_kernels,
          "names": check_names, "format": check_format, "paths": check_paths}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        raise SystemExit(f"usage: lint.py {'|'.join(CHECKS)}")
    problems = list(CHECKS[sys.argv[1]]())
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
