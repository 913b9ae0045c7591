import os
import subprocess
import sys
from dataclasses import replace

import pytest
from assetry.store.leases.processes import _born, _born_by_ps, is_alive, process_of


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


def test_a_running_process_is_alive_for_others(child):
    assert is_alive(process_of(child.pid)) is True


def test_a_killed_process_is_gone_even_before_its_parent_has_asked(child):
    seen = process_of(child.pid)
    child.kill()
    # Wait for the end without reaping: what is left is a zombie, as in a container without an init.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(seen) is False
    child.wait()
    assert is_alive(seen) is False


def test_a_number_given_to_another_process_does_not_revive_the_first(child):
    assert is_alive(replace(process_of(child.pid), born="1")) is False


def test_a_restart_of_the_machine_ends_every_process():
    assert is_alive(replace(process_of(os.getpid()), boot="an earlier one")) is False


@pytest.mark.parametrize("elsewhere", [{"host": "other.example.com/1"}, {"space": "pid:[1]"}])
def test_what_cannot_be_seen_is_not_judged(elsewhere):
    assert is_alive(replace(process_of(os.getpid()), **elsewhere)) is None


def test_without_a_start_time_nobody_guesses(child):
    assert is_alive(replace(process_of(child.pid), born="")) is None


def test_systems_without_proc_ask_ps(child):
    born = _born_by_ps(child.pid)
    assert born
    assert born == _born_by_ps(child.pid)
    child.kill()
    child.wait()
    assert _born_by_ps(child.pid) is None
    assert _born(child.pid) is None
