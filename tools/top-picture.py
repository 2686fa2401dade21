#!/usr/bin/python3
"""top-picture.py OUT.svg COMMAND...: what a program, `callgate top` say, has on its terminal after a while."""

import html
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from terminal import Terminal  # noqa: E402

WIDTH, HEIGHT = 8.4, 18


def texts(screen):
    """SVG of each run of characters that look alike."""
    for y in range(screen.lines):
        x = 0
        while x < screen.columns:
            first, start, word = screen.buffer[y][x], x, ""
            while x < screen.columns and screen.buffer[y][x][1:] == first[1:]:
                word += screen.buffer[y][x].data
                x += 1
            left, top = 10 + start * WIDTH, 10 + y * HEIGHT
            if first.reverse:
                yield f'<rect x="{left:.1f}" y="{top}" width="{len(word) * WIDTH:.1f}" height="{HEIGHT}" fill="#ddd"/>'
            if word.strip():
                style = f'fill="{"#111" if first.reverse else "#ddd"}"' + (' font-weight="bold"' if first.bold else "")
                yield (f'<text x="{left:.1f}" y="{top + 13}" {style} textLength="{len(word) * WIDTH:.1f}" '
                       f'xml:space="preserve">{html.escape(word)}</text>')


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    terminal = Terminal(["env", "TERM=linux", *sys.argv[2:]], rows=12, columns=100)
    for _ in range(3):  # the first rates need two looks
        terminal.quiet(seconds=1, limit=3)
    screen = terminal.screen
    size = f'width="{20 + screen.columns * WIDTH:.0f}" height="{20 + screen.lines * HEIGHT}"'
    pathlib.Path(sys.argv[1]).write_text("\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="14">',
        '<rect width="100%" height="100%" rx="6" fill="#111"/>', *texts(screen), "</svg>", ""]))
    terminal.close()


if __name__ == "__main__":
    main()
