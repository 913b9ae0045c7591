"""What a store keeps of what people accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from assetry.testing.store.samples import START, A, B, made, record, run, tried
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.protocols import Store
from assetry.types.records import Acceptance, Accepted, Materialization


class AcceptanceChecks:
    """Checks of records that count as others because a person said so."""

    @needs(
        "test_be_a_store_that_begins_empty",
        "test_remember_the_last_materialization_of_each_partition",
        "test_tell_what_was_made_since_a_revision",
    )
    def test_let_records_count_as_others_where_they_are_still_the_last(self, store: Store) -> None:
        store.begin(run("r"))
        first, part, other = made(A, "v1", 0), made(A, "p1", 1, partition="x"), made(B, "w1", 2)
        store.append([record(ev.Started(A))], [first, part, other], [tried(A, "failed", "r", 0)])
        since = store.changes([A, B])
        assert since is not None, "changes() without a revision tells of all there is"
        newer = made(B, "w2", 3)
        store.append([], [newer])
        said = [_said(each) for each in (first, part, other)]
        late = store.accept(said)
        assert list(late) == said[2:], f"of a record that was made anew meanwhile something was accepted: {list(late)}"
        wanted = {(A, None): said[0].after, (A, "x"): said[1].after, (B, None): newer}
        assert dict(store.latest()) == wanted, f"after that the last records are {dict(store.latest())}"
        found = store.changes([A, B], since.revision)
        assert found is None or dict(found.latest) == wanted, "changes(since) does not tell what was accepted"
        outcomes = {place: each.outcome for place, each in store.attempts().items()}
        assert outcomes == {(A, None): "failed"}, f"what was accepted changes how tries came out: {outcomes}"
        assert len(list(store.events("r"))) == 1, "what was accepted is no event of the run that made it"

    @needs("test_let_records_count_as_others_where_they_are_still_the_last")
    def test_keep_what_people_accepted_for_ever(self, store: Store) -> None:
        assert list(store.acceptances()) == [], "a new store knows what was accepted"
        store.begin(run("r"))
        first, other = made(A, "v1", 0, partition="x"), made(B, "w1", 1)
        store.append([], [first, other])
        said, more = _said(first), _said(other)
        store.accept([said])
        store.accept([more])
        back = replace(said, before=said.after, after=said.before, undone=True, why="", causes=())
        assert list(store.accept([back])) == [], "what was accepted cannot be taken back"
        assert store.latest([A])[A, "x"] == first, "what was taken back does not count as it did before"
        store.append([], [made(A, "v2", 5, partition="x")])
        assert list(store.acceptances()) == [said, more, back], f"what was accepted is {list(store.acceptances())}"
        assert list(store.acceptances([B])) == [more], "acceptances(keys) gives other keys as well"


def _said(before: Materialization) -> Acceptance:
    """Return the acceptance of a record, with all that one can hold."""
    accepted = Accepted(before.code_version, before.columns)
    after = replace(before, code_version="c2", code_parts={"body": "b2"}, inputs={B: "w9"}, accepted=accepted)
    at, causes = START + timedelta(days=1), ("code_changed", "upstream_changed")
    return Acceptance(at=at, by="ana", why="Only a 'comment'.", before=before, after=after, causes=causes)
