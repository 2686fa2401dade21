"""Lines of the hypervisor that run on a guest's request before all of it is checked: from the ring to the end of a
command's decode function. Functions are found by name in the sources, from the roots downwards; what counts are lines
with code in them. What a command does after its decode function is not part of it."""

import pathlib
import re

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "hypervisor/call"
ROOTS = {"take_request", "serve_next", "wait_for_request"}
AFTER = {"serve_perform", "workers_submit"}  # called with a request that is checked
HEAD = re.compile(r"^[a-z][^;=]*?\b(\w+)\([^;]*$")
COMMAND = re.compile(r'=\s*\{\s*"\w+",\s*(\w+),\s*\w+')


def code_lines(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return [line for line in text.splitlines() if line.strip()]


def functions(text):
    """{name: its lines}: a function begins in the first column and ends with a brace there."""
    found, head, body = {}, None, None
    for line in text.splitlines():
        if body is None:
            if line == "{" and head:
                body = [*head, line]
            elif line[:1].strip() and not line.startswith(("#", "}", "/", " *")):
                head = [line]
            elif head and line.startswith((" ", "\t")):
                head.append(line)
            else:
                head = None
        else:
            body.append(line)
            if line == "}":
                name = re.search(r"(\w+)\(", " ".join(body[:body.index("{")]))
                if name:
                    found[name.group(1)] = code_lines("\n".join(body))
                head = body = None
    return found


def called(lines):
    return set(re.findall(r"\b(\w+)\(", "\n".join(lines)))


def count(sources=SOURCES):
    """(functions, lines): a name means the function of its own file before one of another."""
    files, wanted = {}, []
    for path in [*sources.glob("*.c"), *sources.glob("*.h")]:
        text = path.read_text()
        files[path] = functions(text)
        wanted.extend((path, name) for name in COMMAND.findall(text))
    places = {name: path for path, found in files.items() for name in found}
    todo, reached = [(places[name], name) for name in ROOTS], set()
    todo.extend((path if name in files[path] else places[name], name) for path, name in wanted)
    while todo:
        path, name = todo.pop()
        if (path, name) in reached or name in AFTER:
            continue
        reached.add((path, name))
        todo.extend((path if callee in files[path] else places[callee], callee)
                    for callee in called(files[path][name][1:]) if callee in places)
    return sorted(name for _, name in reached), sum(len(files[path][name]) for path, name in reached)


if __name__ == "__main__":
    names, total = count()
    print(f"{total} lines in {len(names)} functions: {' '.join(names)}")
