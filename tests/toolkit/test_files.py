"""Files that are whole or not there, locks, and folders that go with the work."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from assetry.testing import eventually
from assetry_toolkit.files import Workplace, locked, read_json, write_whole


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_nothing_stays_beside_it(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "state.json"
    for content in ("one", "größer", b"\xff\x00"):
        write_whole(path, content, durable=durable)
    assert path.read_bytes() == b"\xff\x00"
    assert names(path.parent) == ["state.json"]


def test_a_reader_sees_one_of_the_whole_contents_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    contents = [str(number) * 200_000 for number in range(3)]
    write_whole(path, contents[0])
    code = (
        "import sys; from pathlib import Path; from assetry_toolkit.files import write_whole\n"
        "for _ in range(40): write_whole(Path(sys.argv[1]), sys.argv[2] * 200_000)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), number]) for number in "12"]
    while any(writer.poll() is None for writer in writers):
        assert path.read_text() in contents
    assert [writer.returncode for writer in writers] == [0, 0]
    assert names(tmp_path) == ["state.json"]


def test_the_old_file_stays_when_the_new_one_cannot_be_put_there(tmp_path: Path) -> None:
    place = tmp_path / "state.json"
    (place / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=r"state\.json"):
        write_whole(place, "new")
    assert names(tmp_path) == ["state.json"]
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "other", "half \ud800")
    assert names(tmp_path) == ["state.json"]


def test_what_a_killed_writer_left_is_removed_and_what_another_still_writes_is_not(tmp_path: Path) -> None:
    path = tmp_path / "state[1].json"
    old, new, other = (
        tmp_path / name for name in (".state[1].json.7-7.part", ".state[1].json.8-8.part", ".x.7-7.part")
    )
    for each in (old, new, other):
        each.touch()
    for each in (old, other):
        os.utime(each, (0, 0))
    write_whole(path, "{}")
    assert not old.exists()
    assert new.exists()
    assert other.exists()


def test_a_lock_keeps_threads_and_processes_out(tmp_path: Path) -> None:
    path, inside = tmp_path / "lock", threading.Event()
    code = (
        "import sys; from pathlib import Path; from assetry_toolkit.files import locked\n"
        "print('asks', flush=True)\n"
        "with locked(Path(sys.argv[1])): Path(sys.argv[1] + '.taken').touch()"
    )

    def take() -> None:
        with locked(path):
            inside.set()

    with locked(path):
        thread = threading.Thread(target=take)
        thread.start()
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "asks\n"
        assert not inside.wait(0.2)
        assert not (tmp_path / "lock.taken").exists()
    assert inside.wait(30)
    assert process.wait(30) == 0
    thread.join(30)
    process.stdout.close()


# -- places to work in -----------------------------------------------------------------------------------------------


def test_what_is_private_can_be_read_by_this_user_only_and_is_gone_afterwards(tmp_path: Path) -> None:
    with Workplace(tmp_path) as place:
        config = place.write("config.json", '{"key": "s3cret"}')
        assert stat.S_IMODE(place.path.stat().st_mode) == 0o700
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        with pytest.raises(FileExistsError):
            place.write("config.json", "")
        with Workplace(tmp_path) as other:
            assert other.path != place.path
        assert config.read_text() == '{"key": "s3cret"}'
    assert names(tmp_path) == []


def test_what_a_killed_process_left_goes_with_the_next_and_what_one_at_work_has_does_not(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from assetry_toolkit.files import Workplace\n"
        "with Workplace(Path(sys.argv[1])) as place: place.write('config', 's3cret'); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    assert eventually(lambda: list(tmp_path.glob("run-*/config")) != [], 30)
    with Workplace(tmp_path):
        assert len(names(tmp_path)) == 2
    process.kill()
    process.wait()
    assert len(names(tmp_path)) == 1
    with Workplace(tmp_path) as place:
        assert names(tmp_path) == [place.path.name]


@pytest.mark.parametrize("content", [b"{broken", b"[1]", b"\xff", b""])
def test_what_is_no_json_object_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    assert read_json(path) == read_json(tmp_path) == {}
    path.write_bytes(content)
    assert read_json(path) == {}
    path.write_text('{"a": 1}')
    assert read_json(path) == {"a": 1}
