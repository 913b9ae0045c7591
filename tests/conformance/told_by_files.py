"""Control of a tool by files that it looks for: it waits, fails and dies where they say so, and says what it did."""

from __future__ import annotations

from pathlib import Path

from assetry.plugin import Asset, is_alive, process_of


class ToldByFiles:
    """Control of a tool that works in `folder`, and looks for files in the folder ``control`` there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control = folder / "control"
        self.control.mkdir(parents=True)

    def reset(self) -> None:
        for file in self.control.iterdir():
            file.unlink()

    @property
    def launches(self) -> int:
        return len(list(self.control.glob("launch-*")))

    @property
    def running(self) -> int:
        return sum(
            is_alive(process_of(int(file.name.partition("-")[2]))) is True for file in self.control.glob("launch-*")
        )

    @property
    def holding(self) -> bool:
        return (self.control / "holding").exists() and self.running > 0

    def hold(self, asset: Asset) -> None:
        (self.control / f"held-{asset.key.name}").touch()

    def release(self) -> None:
        for file in self.control.glob("held-*"):
            file.unlink()

    def break_asset(self, asset: Asset) -> None:
        (self.control / f"broken-{asset.key.name}").touch()

    def die_at(self, asset: Asset) -> None:
        (self.control / f"dies-{asset.key.name}").touch()

    def made(self, asset: Asset) -> bool:
        return (self.control / f"made-{asset.key.name}").exists()
