"""Taps and targets that speak the Singer protocol, whichever tool runs them.

* `catalogs`: which streams a tap offers, and the asset that each of them is.
* `targets`: which table a target puts a stream into.
* `logs`: what a line of their logs says.
* `plugins`: a tap or a target as it is defined: its settings, what sets them, and which are secrets.
* `pairs`: the assets of a tap and a target.
* `loads`: a tap and a target in one run: how each stream comes out, by what the logs say and by the rows in its table.
* `runs`: an invocation by a runner of both, whose commands outlive us; `reading` is of their output, and `settling`
  keeps from run to run what their tables owe.
"""
