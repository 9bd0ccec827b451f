"""Functions of at most 70 lines, files of at most 700."""

import json
import shutil
import subprocess

import libtree

FUNCTION_LINES = 70
FILE_LINES = 700


def functions(sources):
    """(path, name, first line, last line) of each function, as universal-ctags sees them."""
    if not sources:
        return
    listing = subprocess.run(
        ["ctags", "--output-format=json", "--fields=+ne", "--kinds-C=f", "-f", "-", *sources],
        cwd=libtree.TOP, check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        tag = json.loads(line)
        if "end" in tag:
            yield tag["path"], tag["name"], tag["line"], tag["end"]


def universal_ctags():
    if not shutil.which("ctags"):
        return False
    version = subprocess.run(["ctags", "--version"], capture_output=True, text=True, check=False)
    return "Universal Ctags" in version.stdout


def main():
    tap = libtree.Tap()
    sources = libtree.files("src", ".c", ".h")
    long_files = []
    for path in sources:
        lines = libtree.read(path).count("\n")
        if lines > FILE_LINES:
            long_files.append(f"{path}: {lines} lines")
    tap.rule(f"files have at most {FILE_LINES} lines", long_files, len(sources))

    name = f"functions have at most {FUNCTION_LINES} lines"
    if not universal_ctags():
        tap.skip(name, "universal-ctags is not installed")
        tap.done()
    found = list(functions([path for path in sources if path.endswith(".c")]))
    long_functions = [f"{path}:{first}: {function}: {last - first + 1} lines"
                      for path, function, first, last in found
                      if last - first + 1 > FUNCTION_LINES]
    tap.rule(name, long_functions, len(found))
    if found:
        lengths = sorted(last - first + 1 for _, _, first, last in found)
        print(f"# {len(lengths)} functions: median {lengths[len(lengths) // 2]} lines, "
              f"p90 {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]}")
    tap.done()


main()
