"""What tools share that extract and load by programs of one's own: rows, and runs.

* `row_counts`: whether the rows that were extracted are in the table.
* `owed_rows`: which of them are still missing, from run to run.
* `run_versions`: which run last moved rows of a stream.
* `history`: both, for all runs of an integration.
"""
