"""Files that others put somewhere are seen: new, changed and gone ones; here, and where fsspec reaches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from assetry import DynamicPartitionsDefinition, Integration, Project, asset
from assetry.plugin import AssetKey, DefinitionError, IntegrationError, Log, OptionError
from assetry_automation import watch
from assetry_automation.files.listing import files_of, fixed

KEY = AssetKey("raw/files")


@pytest.fixture(params=["here", "elsewhere"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Callable[[str, str | None], None]]]:
    """Yield a folder, and what writes a file into it, or removes one."""
    if request.param == "here":
        folder = tmp_path / "in"
        folder.mkdir()

        def write(name: str, text: str | None) -> None:
            path = folder / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)

        yield str(folder), write
        return
    memory: Any = fsspec.filesystem("memory")
    memory.store.clear()

    def put(name: str, text: str | None) -> None:
        if text is None:
            memory.rm(f"/bucket/in/{name}")
        else:
            memory.pipe(f"/bucket/in/{name}", text.encode())

    memory.pipe("/bucket/other", b"")
    yield "memory://bucket/in", put
    memory.store.clear()


def project(pattern: str, definition: DynamicPartitionsDefinition | None) -> Project:
    files = watch("raw/files", pattern, every="1m", partitions_def=definition)
    return Project([files], store="sqlite::memory:")


def living(found: Project) -> tuple[str, ...]:
    table = found.store.partition_keys().get(KEY)
    return () if table is None else table.living


def test_each_file_is_a_partition_as_long_as_it_is_there(place: tuple[str, Any]) -> None:
    folder, write = place
    write("a.csv", "1")
    write("b.txt", "1")
    with project(f"{folder}/*.csv", DynamicPartitionsDefinition("file")) as found:
        assert found.observe(only_news=True).counts["new_content"] == 1
        write("b.csv", "22")
        assert found.observe(only_news=True).counts["new_content"] == 1
        assert living(found) == ("a.csv", "b.csv")
        runs = len(found.store.runs())
        assert found.observe(only_news=True).counts.get("new_content", 0) == 0
        assert len(found.store.runs()) == runs, "what is not new leaves no run behind"
        write("b.csv", "333")
        assert found.observe(only_news=True).counts["new_content"] == 1
        write("a.csv", None)
        gone = found.observe(only_news=True)
        assert living(found) == ("b.csv",)
        logs = [each.event for each in found.store.events(gone.run.id) if isinstance(each.event, Log)]
        assert [(each.level, each.message) for each in logs] == [
            ("warning", "a.csv is gone, and no partition of raw/files any more.")
        ]
        write("b.csv", None)
        found.observe(only_news=True)
        assert living(found) == ()


def test_all_files_together_are_an_asset_without_partitions(place: tuple[str, Any]) -> None:
    folder, write = place
    write("a.csv", "1")
    with project(folder, None) as found:
        assert found.observe(only_news=True).counts["new_content"] == 1
        assert found.observe(only_news=True).counts.get("new_content", 0) == 0
        for name, text in (("b.csv", "2"), ("b.csv", "33"), ("b.csv", None)):
            write(name, text)
            assert found.observe(only_news=True).counts["new_content"] == 1, (name, text)
        write("a.csv", None)
        assert found.observe(only_news=True).counts["gone"] == 1


def test_that_nothing_can_be_looked_at_is_not_that_all_is_gone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("1")
    with project(f"{tmp_path}/in/*.csv", DynamicPartitionsDefinition("file")) as found:
        found.observe(only_news=True)
        (tmp_path / "in").rename(tmp_path / "away")
        failed = found.observe(only_news=True)
        assert failed.run.state == "failed"
        assert "There is no folder" in failed.problems[0]
        assert living(found) == ("a.csv",)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "in" / "2026").mkdir(parents=True)
    (tmp_path / "in" / "2026" / "a.csv").write_text("1")
    (tmp_path / "in" / "2026").chmod(0)
    try:
        for pattern in ("in/**/*.csv", "in/*/*.csv", "in/2026"):
            with pytest.raises(IntegrationError, match="PermissionError"):
                files_of(pattern, str(tmp_path))
    finally:
        (tmp_path / "in" / "2026").chmod(0o700)


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()

    def refused(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("assetry_automation.files.listing.os.scandir", refused)
    with pytest.raises(IntegrationError, match="in cannot be looked at: PermissionError"):
        files_of("in", str(tmp_path))


def test_a_place_elsewhere_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    memory: Any = fsspec.filesystem("memory")
    memory.pipe("/bucket/in/a.csv", b"1")

    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError("AccessDenied")

    monkeypatch.setattr(type(memory), "ls", refused)
    with pytest.raises(IntegrationError, match=r"cannot be looked at: PermissionError: AccessDenied"):
        files_of("memory://bucket/in/*.csv", "")
    monkeypatch.undo()
    assert list(files_of("memory://bucket/in/*.csv", "")) == ["a.csv"]
    memory.store.clear()
    with pytest.raises(IntegrationError, match="There is no bucket"):
        files_of("memory://bucket/in/*.csv", "")


def test_names_that_cannot_be_keys_are_told_and_left_out(tmp_path: Path) -> None:
    for name in ("a.csv", " b.csv", "c\n.csv", ".hidden.csv"):
        (tmp_path / name).write_text("1")
    with project(f"{tmp_path}/*.csv", DynamicPartitionsDefinition("file")) as found:
        events: list[Any] = []
        found.observe(on_event=events.append)
        assert living(found) == ("a.csv",)
        told = [each.event.message for each in events if isinstance(each.event, Log)]
        assert len(told) == 2
        assert all("cannot be the key of a partition" in each for each in told)


def test_a_project_file_names_what_is_watched_and_each_file_is_made_of(tmp_path: Path) -> None:
    (tmp_path / "in" / "2026").mkdir(parents=True)
    (tmp_path / "in" / "2026" / "a.csv").write_text("1")
    (tmp_path / "assetry.toml").write_text(
        '[integrations.landing]\nkind = "files"\nobserve = "1m"\npartitions = "file"\n'
        '[integrations.landing.watch]\n"raw/files" = "in/**/*.csv"\n'
    )
    (tmp_path / "assets.py").write_text(
        "from assetry import DynamicPartitionsDefinition, asset\n\n"
        '@asset(deps=["raw/files"], partitions_def=DynamicPartitionsDefinition("file"))\n'
        "def loaded(partition): return partition\n"
    )
    with Project.load(tmp_path) as found:
        assert found.observe("integration:landing", only_news=True).counts["new_content"] == 1
        assert living(found) == ("2026/a.csv",)
        assert found.materialize("loaded", partition="missing").ok
        assert found.load_value("loaded", partition="2026/a.csv") == "2026/a.csv"


def test_a_wrong_pattern_is_told(tmp_path: Path) -> None:
    wrong = Integration("landing", "files", {"watch": {"raw/files": 3}}, str(tmp_path))
    with Project(integrations=[wrong], store="sqlite::memory:") as found, pytest.raises(OptionError, match="raw/files"):
        _ = found.graph
    with pytest.raises(DefinitionError, match="less than a second") as caught:
        watch("raw/files", "in", every=0)  # type: ignore[arg-type]
    assert "test_watch.py:" in str(caught.value.where)
    with pytest.raises(DefinitionError, match="a password in it") as told:
        watch("raw/files", "ftp://me:s3cret@host/in", every="1m")
    assert "s3cret" not in str(told.value)
    with pytest.raises(IntegrationError, match="cannot be looked at"):
        files_of("nowhere://in/*.csv", str(tmp_path))


def test_what_is_fixed_of_a_pattern_is_not_in_the_names(tmp_path: Path) -> None:
    (tmp_path / "in" / "x").mkdir(parents=True)
    (tmp_path / "in" / "x" / "a.csv").write_text("")
    assert list(files_of("in/*/*.csv", str(tmp_path))) == ["x/a.csv"]
    assert list(files_of("in/x/a.csv", str(tmp_path))) == ["a.csv"]
    assert files_of("in/x/b.csv", str(tmp_path)) == {}
    assert fixed("s3://bucket/in/*.csv") == "s3://bucket/in"
    os.utime(tmp_path / "in" / "x" / "a.csv", (1, 1))
    assert files_of("in/x/a.csv", str(tmp_path))["a.csv"].version == "0-1000000000"


@pytest.mark.parametrize("folder", ["[x]", "a*b", "in?"])
def test_the_folder_of_a_project_may_have_any_sign(tmp_path: Path, folder: str) -> None:
    root = tmp_path / folder
    (root / "in").mkdir(parents=True)
    (root / "in" / "a.csv").write_text("")
    (root / "b.csv").write_text("")
    for pattern in ("in/*.csv", "in", "in/", "in/a.csv", "./in/*"):
        assert list(files_of(pattern, str(root))) == ["a.csv"], pattern
    assert list(files_of("*.csv", str(root))) == ["b.csv"]
    assert list(files_of("**/*.csv", str(root))) == ["b.csv", "in/a.csv"]
    assert list(files_of(f"{tmp_path}/*/*.csv", "/nowhere")) == [f"{folder}/b.csv"]


def test_it_is_found_from_the_folder_of_the_module_that_says_so() -> None:
    @asset
    def unrelated() -> int:
        return 1

    found = watch("raw/files", "in", every="1m")
    assert found.integration is not None
    assert Path(found.integration.root) == Path(__file__).resolve().parent
    assert str(found.source).startswith(f"{__file__}:")
    assert unrelated() == 1
