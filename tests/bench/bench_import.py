"""What it costs to import assetry and to ask for help, over a bare Python."""

from __future__ import annotations

from tests.bench.measure import assetry, best, child_cpu, python, row


def main() -> None:
    """Print the figures."""
    bare = best(lambda: child_cpu(python("pass")), 15)
    imported = best(lambda: child_cpu(python("import assetry")), 15) - bare
    helped = best(lambda: child_cpu(assetry("--help")), 15) - bare
    click = best(lambda: child_cpu(python("import click")), 15) - bare
    row("import assetry, over bare Python", f"{imported * 1000:.0f} ms", "at most 60 ms", imported <= 0.060)
    row("assetry --help, over bare Python", f"{helped * 1000:.0f} ms", "at most 120 ms", helped <= 0.120)
    row("  of which import click", f"{click * 1000:.0f} ms", "")


if __name__ == "__main__":
    main()
