"""What tools share that extract and load by programs of one's own: taps and targets, rows, runs.

* `singer`: the catalogs, logs and tables of taps and targets, whichever tool runs them.
* `row_counts`: whether the rows that were extracted are in the table.
* `run_versions`: which run last moved rows of a stream.
"""
