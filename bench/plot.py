"""The benchmarks as a picture: how many times runc's time each runtime takes."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "callgate"  # the same data gives the same file

import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"native": "#999999", "crun": "#88bbdd", "runsc": "#dd9955", "callgate": "#2a7f62"}


def ratio(benchmark, runtime):
    """Time relative to runc's (throughput counts inversely), or None."""
    results = benchmark["results"]
    if runtime not in results or "runc" not in results:
        return None
    value = results[runtime]["median"] / results["runc"]["median"]
    return 1 / value if benchmark["more_is_better"] else value


def plot(report, path):
    names = list(report["benchmarks"])
    shown = [name for name in COLOURS if name in report["runtimes"]]
    figure, axes = plt.subplots(figsize=(9, 0.62 * len(names) + 1.4))
    height = 0.8 / len(shown)
    for column, runtime in enumerate(shown):
        for row, name in enumerate(names):
            value = ratio(report["benchmarks"][name], runtime)
            if value is None:
                continue
            at = row + (column - (len(shown) - 1) / 2) * height
            axes.barh(at, value - 1, height, left=1, color=COLOURS[runtime],
                      label=runtime if row == 1 else None)
            axes.text(value, at, f" {value:.2f} ", fontsize=7, va="center",
                      ha="left" if value >= 1 else "right")
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("time (or memory) relative to runc, log scale: left of the line is better")
    machine = report["machine"]
    axes.set_title(f"{machine['cpus']} CPUs, {machine['cpu']}, Linux {machine['kernel']}", fontsize=9)
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
