"""What is told of the daemon over HTTP."""

from __future__ import annotations

from assetry_automation.daemon.health import Health, JobHealth, SenseHealth


def test_a_job_that_failed_is_told_beside_what_is_not_seen() -> None:
    health = Health(interval=5, senses={"files": SenseHealth(1.0, 2, "no route")})
    health.looked({"at": 1}, {"nightly": JobHealth(1767225600.0, ok=False, told="it failed"), "new": JobHealth(2.0)})
    assert health.failing() == {"files": "no route", "job nightly": "it failed"}
    told = health.metrics()
    assert 'assetry_job_next_timestamp_seconds{name="nightly"} 1767225600\n' in told
    assert 'assetry_job_last_ok{name="nightly"} 0\n' in told
    assert 'assetry_job_last_ok{name="new"}' not in told


def test_jobs_that_cannot_run_are_counted() -> None:
    assert "assetry_wrong_jobs 1\n" in Health(interval=5, wrong=("[jobs.nightly]: 'lst:2' …",)).metrics()
