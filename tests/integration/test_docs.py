"""Man pages and completions say what the program's help says, and work."""

import pathlib
import re
import subprocess

import pytest
from bundle import BUILD, RUNTIME, TESTS

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own command line")

COMPLETIONS = {"bash": "callgate.bash", "zsh": "_callgate", "fish": "callgate.fish"}


def shell(*args, **options):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=True, **options).stdout


def help_text(*args):
    return shell(BUILD / "callgate", "help", *args)


def commands():
    section = help_text().partition("\ncommands:\n")[2].partition("\noptions:\n")[0]
    return re.findall(r"^  (\S+) ", section, re.M)


def flags(*command):
    """[-b, --bundle, ...] as the help has them."""
    text = help_text(*command).partition("\noptions:\n")[2]
    return re.findall(r"(?<=[ ,])--?[a-z][a-z0-9-]*(?=[ ,\n])", "\n".join(
        line[:26] + " " for line in text.splitlines() if re.match(" {2,6}-", line)))


def man_page(name):
    path = BUILD / "man" / f"{name}.1"
    assert path.exists(), f"{path}: was scdoc there when the build was set up?"
    # -P cat and a fixed width: as plain text
    return shell("man", "-P", "cat", "-l", path, env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin",
                                                      "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""})


ALL = commands() if (BUILD / "callgate").exists() else []


def test_help_is_understood():
    assert {"run", "do", "install", "check"} <= set(ALL)
    assert {"-b", "--bundle", "--pid-file"} <= set(flags("run")) and "--log-format" in flags()


@pytest.mark.parametrize("command", ALL)
def test_man_page(command):
    text = man_page(f"callgate-{command}")
    for flag in flags(command):
        assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text), f"{flag} is missing"
    prose = TESTS.parent / "docs/man" / f"callgate-{command}.scd"
    assert prose.exists() and len(prose.read_text()) > 40, f"{prose}: nothing is said about it"


def test_main_man_page():
    text = man_page("callgate")
    for command in ALL:
        assert f"callgate-{command}(1)" in text
    for flag in flags():
        assert flag in text


def test_no_prose_without_a_command():
    names = {p.stem for p in (TESTS.parent / "docs/man").glob("callgate-*.scd")}
    assert names == {f"callgate-{command}" for command in ALL}


def test_help_has_every_option_that_is_taken():
    """The options of getopt_long(), as the sources have them."""
    rows = re.compile(r'{ "([a-z0-9-]+)", (?:no|required|optional)_argument')
    sources = {path.stem: rows.findall(path.read_text())
               for path in (TESTS.parent / "runtime/cmd").glob("*.c")}
    users = {"bundle": ("create", "run"), "install": ("install", "uninstall"),
             "update_flags": ("update",)}
    for stem, names in sources.items():
        for command in users.get(stem, (stem,)):
            if names:
                known = set(flags(command)) | ({"--detach", "--keep", "--no-subreaper", "--runtime-args"})
                assert {f"--{name}" for name in names} <= known, f"{stem}.c, {command}"
    top = rows.findall((TESTS.parent / "runtime/main.c").read_text())
    assert {f"--{name}" for name in top} <= set(flags())


@pytest.mark.parametrize("name", COMPLETIONS)
def test_completion_knows_everything(name):
    text = (BUILD / "completions" / COMPLETIONS[name]).read_text()
    for command in ALL:
        assert re.search(rf"\b{command}\b", text), command
        for flag in flags(command):
            written = f"-{'l' if flag.startswith('--') else 's'} {flag.lstrip('-')}" \
                if name == "fish" else flag
            assert re.search(rf"(?<![\w-]){re.escape(written)}(?![\w-])", text), f"{command} {flag}"


BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { echo "opt $2"; }
_callgate
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(*words):
    return shell("bash", "-c", BASH, "bash", BUILD / "completions/callgate.bash", *words).splitlines()


def fish(*words):
    line = " ".join(words)
    out = shell("fish", "-N", "-c", f"source {BUILD}/completions/callgate.fish; complete -C '{line}'")
    return [entry.split("\t")[0] for entry in out.splitlines()]


@pytest.mark.parametrize("complete", [bash, fish])
def test_completion(complete, tmp_path, monkeypatch):
    (tmp_path / "callgate").write_text("#!/bin/sh\n[ \"$*\" = 'list -q' ] && echo box1 box2 | tr ' ' '\\n'\n")
    (tmp_path / "callgate").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert "run" in complete("callgate", "r") and "do" not in complete("callgate", "r")
    assert complete("callgate", "run", "--pid-") == ["--pid-file"]
    assert "--log-format" in complete("callgate", "--log")
    assert complete("callgate", "--log-format", "j") == ["json"]
    assert {"box1", "box2"} <= set(complete("callgate", "debug", "syscalls", ""))
    assert "run" not in complete("callgate", "--log-format", "json", "debug", "syscalls", "")
    assert "check" in complete("callgate", "help", "c")
    assert "uname" in complete("callgate", "do", "una")
    assert not {"check", "create"} & set(complete("callgate", "exec", "box1", "c"))


@pytest.mark.parametrize("option", ["--log", "--root"])
def test_bash_completes_files(option):
    assert "opt filenames" in bash("callgate", option, "/")


def test_zsh_completion_is_sound():
    path = BUILD / "completions/_callgate"
    shell("zsh", "-n", path)
    loaded = shell("zsh", "-f", "-c", "autoload -Uz compinit && compinit -D -u && fpath=($1 $fpath) && "
                   "autoload -Uz _callgate && autoload +X _callgate && whence -w _callgate", "zsh",
                   pathlib.Path(path).parent)
    assert loaded.strip() == "_callgate: function"
