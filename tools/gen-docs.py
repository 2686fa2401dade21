#!/usr/bin/python3
"""gen-docs.py PROGRAM VERSION PROSE OUT [SCDOC]: man pages and completions from what the program says of itself.

The commands and options come from `callgate help`, so they cannot differ from it. PROSE/COMMAND.scd adds a
description, and further sections behind the options. Without SCDOC the man pages' sources are written only.
"""

import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass, field

OPTION = re.compile(r" {2,6}(?:(-\w), )?(--[\w-]+)(?:[ =](\S+))?(?:  +(\S.*))?")
# What completes the value of an option, or an argument, by its name in the help.
FILES = {"FILE", "S", "SOCKET", "PATH"}
WORDS = {"FMT": "text json", "FORMAT": "text json table", "BOOL": "true false auto",
         "MANAGER": "cgroupfs systemd disabled",
         "MACHINE": "pv kvm",
         "SIGNAL": "TERM KILL INT HUP QUIT USR1 USR2 STOP CONT WINCH"}


@dataclass
class Option:
    short: str | None
    long: str
    value: str | None
    text: str


@dataclass
class Command:
    name: str
    args: str
    summary: str
    options: list = field(default_factory=list)

    def arguments(self):
        """The names of the arguments in their order, without options."""
        words = [word.strip("[].") for word in self.args.split() if "OPTIONS" not in word
                 and not word.startswith(("-", "[-"))]
        if self.name in ("create", "restore", "run"):  # an ID that is not in use
            words = ["NEW" if word == "ID" else word for word in words]
        if self.name in ("do", "exec"):  # a program with its own arguments
            words = ["PROGRAM" if word == "COMMAND" else word for word in words if word != "ARG"]
        return words


def parse_options(text):
    options = []
    for line in text.splitlines():
        match = OPTION.fullmatch(line)
        if match:
            options.append(Option(*match.groups()))
            options[-1].text = options[-1].text or ""
        elif options and line.startswith("        "):
            options[-1].text = (options[-1].text + " " + line.strip()).strip()
    return options


def ask(program, *args):
    return subprocess.run([program, "help", *args], check=True, capture_output=True, text=True).stdout


def read_table(program):
    overview, _, options = ask(program).partition("\noptions:\n")
    top = Command("", "[OPTIONS] COMMAND ...", overview.split("\n", 1)[0].split(": ", 1)[1],
                  parse_options(options))
    names = re.findall(r"^  (\S+) ", overview.partition("\ncommands:\n")[2], re.M)
    commands = []
    for name in names:
        text, _, options = ask(program, name).partition("\noptions:\n")
        usage, _, summary = text.partition("\n\n")
        args = usage.split(None, 3)[3:]
        commands.append(Command(name, args[0] if args else "", " ".join(summary.split()),
                                parse_options(options)))
    return top, commands


# --- man pages ---------------------------------------------------------------------------

def escape(text):
    return re.sub(r"([\\*_<>\[\]#])", r"\\\1", text)


def scdoc_options(options):
    out = []
    for o in options:
        names = ", ".join(f"*{escape(n)}*" for n in (o.short, o.long) if n)
        out.append(f"{names}{' _' + escape(o.value) + '_' if o.value else ''}\n\t{escape(o.text)}\n")
    return "\n".join(out)


def man_page(command, version, prose, others):
    name = "-".join(filter(None, ["callgate", command.name]))
    description, _, rest = prose.partition("\n# ")
    parts = [f'{name}(1) "Callgate {version}" "Callgate"',
             f"# NAME\n\n{name} - {escape(command.summary)}",
             f"# SYNOPSIS\n\n*callgate* {'_[OPTIONS]_ *' + command.name + '* ' if command.name else ''}"
             + escape(command.args)]
    parts.append("# DESCRIPTION\n\n" + (description.strip() or escape(command.summary) + "."))
    if command.options:
        parts.append("# OPTIONS\n\n" + scdoc_options(command.options))
    if not command.name:
        parts.append("# COMMANDS\n\n" + "\n".join(f"*callgate-{c.name}*(1)\n\t{escape(c.summary)}\n"
                                                  for c in others))
    if rest:
        parts.append("# " + rest.strip())
    see = ["callgate"] if command.name else [f"callgate-{c.name}" for c in others]
    parts.append("# SEE ALSO\n\n" + ", ".join(f"*{n}*(1)" for n in see)
                 + ("" if command.name else ", *runc*(8)"))
    return name, "\n\n".join(parts) + "\n"


def write_man_pages(top, commands, version, prose, out, scdoc):
    out.mkdir(parents=True, exist_ok=True)
    for old in out.iterdir():
        old.unlink()
    for command in [top, *commands]:
        path = prose / f"{'-'.join(filter(None, ['callgate', command.name]))}.scd"
        name, text = man_page(command, version, path.read_text() if path.exists() else "", commands)
        if not scdoc:
            (out / f"{name}.1.scd").write_text(text)
            continue
        done = subprocess.run([scdoc], input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            sys.exit(f"{path}: {done.stderr}")
        (out / f"{name}.1").write_text(done.stdout)


# --- completions -------------------------------------------------------------------------

def kind(value):
    """What completes it: 'dir', 'file', 'id', 'command', 'words ...' or nothing."""
    if value in WORDS:
        return "words " + WORDS[value]
    return {"DIR": "dir", "ID": "id", "COMMAND": "command", "PROGRAM": "program"}.get(
        value, "file" if value in FILES else "words " + value.replace("|", " ") if value and value.islower() else "")


def flags(options):
    return [n for o in options for n in (o.short, o.long) if n]


def bash(top, commands):
    out = ["# bash completion of callgate; made from its help text.\n",
           "_callgate_options()\n{\n\tcase $1 in"]
    out += [f"\t'{c.name}') echo '{' '.join(flags(c.options))}' ;;" for c in [top, *commands]]
    out.append("\tesac\n}\n\n# The kind of an option's value; 'any' has no list.\n"
               "_callgate_value()\n{\n\tcase $1:$2 in")
    for c in [top, *commands]:
        for o in c.options:
            if o.value:
                names = "|".join(f"'{c.name}:{n}'" for n in (o.short, o.long) if n)
                out.append(f"\t{names}) echo '{kind(o.value) or 'any'}' ;;")
    out.append("\tesac\n}\n\n_callgate_argument()\n{\n\tcase $1:$2 in")
    for c in commands:
        for i, name in enumerate(c.arguments()):
            if kind(name):
                out.append(f"\t'{c.name}:{i}') echo '{kind(name)}' ;;")
    names = " ".join(c.name for c in commands)
    out.append("\tesac\n}\n" + BASH.replace("@COMMANDS@", names))
    return "\n".join(out)


BASH = r"""
_callgate_complete()
{
	local cur=$1 IFS=$' \t\n'

	case $2 in
	dir) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	id) mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" list -q 2>/dev/null)" -- "$cur") ;;
	command) mapfile -t COMPREPLY < <(compgen -W '@COMMANDS@' -- "$cur") ;;
	program) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
	words\ *) mapfile -t COMPREPLY < <(compgen -W "${2#words }" -- "$cur") ;;
	*) compopt -o default ;;
	esac
}

_callgate()
{
	local cur=${COMP_WORDS[COMP_CWORD]} command='' value='' word
	local -i i position=0

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		value=''
		if [[ $word == -* ]]; then
			value=$(_callgate_value "$command" "$word")
			[[ ! $value ]] || ((i++))
		elif [[ ! $command ]]; then
			command=$word
		else
			position+=1
		fi
	done
	if [[ $value && $i -gt $COMP_CWORD ]]; then
		_callgate_complete "$cur" "$value"
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_callgate_options "$command")" -- "$cur")
	elif [[ ! $command ]]; then
		_callgate_complete "$cur" command
	else
		_callgate_complete "$cur" "$(_callgate_argument "$command" "$position")"
	fi
}

complete -F _callgate callgate
"""


def zsh_action(value):
    what = kind(value)
    if what.startswith("words "):
        return f"({what[6:]})"
    return {"dir": "_files -/", "file": "_files", "id": "_callgate_ids",
            "command": "_callgate_commands"}.get(what, "")


def zsh_quote(text):
    return re.sub(r"([\[\]:])", r"\\\1", text.replace("'", "'\\''"))


def zsh_options(options):
    out = []
    for o in options:
        value = f":{zsh_quote(o.value)}:{zsh_action(o.value)}" if o.value else ""
        names = f"'({o.short} {o.long})'{{{o.short},{o.long}}}" if o.short else o.long
        out.append(f"{names}'[{zsh_quote(o.text)}]{value}'")
    return out


def zsh(top, commands):
    out = ["#compdef callgate\n# zsh completion of callgate; made from its help text.\n",
           "_callgate_ids()\n{\n\tlocal -a ids=(${(f)\"$(callgate list -q 2>/dev/null)\"})\n"
           "\t(( $#ids )) && _describe container ids\n}\n",
           "_callgate_commands()\n{\n\tlocal -a names=("]
    out += [f"\t\t'{c.name}:{zsh_quote(c.summary)}'" for c in commands]
    out.append("\t)\n\t_describe command names\n}\n\n_callgate()\n{\n\tlocal curcontext=$curcontext state line\n"
               "\ttypeset -A opt_args\n\n\t_arguments -C : \\")
    out += [f"\t\t{o} \\" for o in zsh_options(top.options)]
    out.append("\t\t'1:command:_callgate_commands' '*::argument:->argument' && return\n\tcase $words[1] in")
    for c in commands:
        rows = zsh_options(c.options) + [
            "'*::program:_normal'" if name == "PROGRAM" else f"'{i}:{zsh_quote(name)}:{zsh_action(name)}'"
            for i, name in enumerate(c.arguments(), 1)]
        out.append(f"\t{c.name})\n\t\t_arguments : " + " \\\n\t\t\t".join(rows) + " ;;")
    out.append("\tesac\n}\n\n_callgate \"$@\"\n")
    return "\n".join(out)


def fish_value(value):
    what = kind(value)
    if what.startswith("words "):
        return f" -x -a '{what[6:]}'"
    return {"dir": " -x -a '(__fish_complete_directories)'", "file": " -r -F", "id": " -x -a '(__callgate_ids)'",
            "command": " -x -a '(__callgate_commands)'", "program": " -x -a '(__fish_complete_command)'"}.get(what, " -x")


def fish(top, commands):
    names = " ".join(c.name for c in commands)
    out = ["# fish completion of callgate; made from its help text.\n",
           "function __callgate_ids\n\tcallgate list -q 2>/dev/null\nend\n",
           f"function __callgate_commands\n\tstring split ' ' '{names}'\nend\n",
           "complete -c callgate -f"]

    def quote(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    for c in [top, *commands]:
        place = f"__fish_seen_subcommand_from {c.name}" if c.name else \
            f"not __fish_seen_subcommand_from {names}"
        for o in c.options:
            out.append(f"complete -c callgate -n '{place}'{' -s ' + o.short[1:] if o.short else ''}"
                       f" -l {o.long[2:]}{fish_value(o.value) if o.value else ''} -d {quote(o.text)}")
        if c.name:
            out.append(f"complete -c callgate -n 'not __fish_seen_subcommand_from {names}' -a {c.name}"
                       f" -d {quote(c.summary)}")
            out += [f"complete -c callgate -n '{place}'{fish_value(name).replace(' -x', '')}"
                    for name in c.arguments() if kind(name)]
    return "\n".join(out) + "\n"


def main():
    program, version, prose, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
    scdoc = sys.argv[5] if len(sys.argv) > 5 else ""
    top, commands = read_table(program)
    write_man_pages(top, commands, version, prose, out / "man", scdoc)
    completions = out / "completions"
    completions.mkdir(exist_ok=True)
    (completions / "callgate.bash").write_text(bash(top, commands))
    (completions / "_callgate").write_text(zsh(top, commands))
    (completions / "callgate.fish").write_text(fish(top, commands))
    (out / "docs.stamp").touch()


if __name__ == "__main__":
    main()
