"""What a store keeps for plugins: documents, each as it was last changed, by one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from assetry.errors import ConflictError
from assetry.testing.child import LONGEST
from assetry.testing.store.samples import A, made, record, run
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.protocols import Store
from assetry.types.records import Beside, DocumentChange, KeysChange


class DocumentChecks:
    """Checks of what is kept for plugins."""

    def test_keep_documents_as_they_were_last_changed(self, store: Store) -> None:
        assert dict(store.documents("acme")) == {}, "a new store has documents: begin with none"
        value = {"seen": ["a", "äpfel"], "at": None, "count": 3}
        first = store.change_document("acme", "cursor", value, None)
        assert first is not None, "a new document was not kept: before=None asks for that"
        store.change_document("acme", "other", [1, 2], None)
        store.change_document("mill", "cursor", "of the mill", None)
        found = {key: each.value for key, each in store.documents("acme").items()}
        assert found == {"cursor": value, "other": [1, 2]}, f"the documents of a space are {found}"
        assert store.documents("acme")["cursor"].revision == first, "a document tells the revision that its change gave"
        told = store.document_revisions("acme")
        assert told == {key: each.revision for key, each in store.documents("acme").items()}, f"revisions are {told}"
        second = store.change_document("acme", "cursor", {"seen": []}, first)
        assert second is not None, "a document that is as it was read could not be changed"
        assert second > first, "the revision of a change is greater than that before it"
        assert store.documents("acme")["cursor"].value == {"seen": []}, "keep what a document was changed to"
        third = store.change_document("acme", "cursor", None, second)
        assert third is not None, "a document that is as it was read could not be taken away"
        assert list(store.documents("acme")) == ["other"], "one document is to be taken away, and no other"
        fourth = store.change_document("acme", "cursor", 1, None)
        assert fourth is not None, "a document that was taken away could not be kept anew"
        assert fourth > third, "no revision comes twice, not even when a document was taken away"

    @needs("test_keep_documents_as_they_were_last_changed")
    def test_change_a_document_only_as_long_as_it_is_as_it_was_read(self, store: Store) -> None:
        assert store.change_document("acme", "cursor", 1, 7) is None, "a document that is not there was changed"
        assert dict(store.documents("acme")) == {}, "a document that was not there was kept as a changed one"
        first = store.change_document("acme", "cursor", 1, None)
        assert store.change_document("acme", "cursor", 2, None) is None, "a document was kept anew over another one"
        store.change_document("acme", "cursor", 3, first)
        for value in (4, None):
            assert store.change_document("acme", "cursor", value, first) is None, (
                "a document was changed by one who had read it before another change: compare its revision"
            )
        assert store.documents("acme")["cursor"].value == 3, "the document is not as it was changed last"

    @needs("test_change_a_document_only_as_long_as_it_is_as_it_was_read")
    def test_let_only_one_of_many_threads_change_a_document(self, store: Store) -> None:
        first = store.change_document("acme", "cursor", "first", None)
        threads = 8
        together = threading.Barrier(threads)

        def change(number: int) -> bool:
            together.wait(LONGEST)
            return store.change_document("acme", "cursor", number, first) is not None

        with ThreadPoolExecutor(threads) as pool:
            changed = list(pool.map(change, range(threads)))
        assert changed.count(True) == 1, f"{changed.count(True)} threads have changed a document that each had read"
        assert store.documents("acme")["cursor"].value == changed.index(True), "the document is not as it was changed"

    @needs("test_change_a_document_only_as_long_as_it_is_as_it_was_read")
    def test_record_and_change_what_is_beside_it_in_one_transaction(self, store: Store) -> None:
        store.begin(run("r"))
        first = store.change_document("acme", "cursor", 1, None)
        beside = Beside((DocumentChange("acme", "cursor", 2, first),), (KeysChange(A, add=("a.csv",)),))
        store.append([record(ev.Log("seen"))], [made(A, "v1", 0, "a.csv")], beside=beside)
        assert store.documents("acme")["cursor"].value == 2, "a document beside what is recorded was not changed"
        table = store.partition_keys([A]).get(A)
        assert table is not None, "keys of partitions beside what is recorded were not made known"
        assert table.living == ("a.csv",), "keys of partitions beside what is recorded were not made known"
        late = Beside((DocumentChange("acme", "cursor", 3, first),), (KeysChange(A, drop=("a.csv",)),))
        try:
            store.append([record(ev.Log("late"))], [made(A, "v2", 1, "a.csv")], beside=late)
        except ConflictError:
            pass
        else:
            raise AssertionError("others have changed a document beside what is recorded: raise ConflictError")
        told = [each.event for each in store.events("r")]
        assert told == [ev.Log("seen")], "what could not be recorded with a document was recorded without it"
        assert store.latest()[A, "a.csv"].data_version == "v1", "a record is there without the document beside it"
        assert store.partition_keys([A])[A].living == ("a.csv",), "a key was dropped, and the document not changed"
