"""What tools share that extract and load: rows, and runs.

* `row_counts`: whether the rows that were extracted are in the table.
* `newest_rows`: when the newest row was written, and tables that are not where they should be.
* `owed_rows`: which of them are still missing, from run to run.
* `run_versions`: which run last moved rows of a stream.
* `history`: both, for all runs of an integration.
"""
