"""What services share that bring tables into a warehouse, connection by connection: Airbyte, Fivetran and their like.

* `answers`: what is read of an answer that may lack anything.
* `fetching`: many definitions, a few at a time.
* `snapshots`: what was read, in a file that projects are loaded from.
* `settings`: the options that such integrations have in common.
* `changes`: what has changed in a connection since it was read.
* `assets`, `keys` and `tables`: how assets are called, and which table of the warehouse each of them is.
* `turns`: a call of a hook about one connection, with the service open for it.
* `budgets`: no more calls than an account has.
* `syncs`: syncs that have no id; those that have one are jobs (`assetry_toolkit.jobs`).
* `webhooks`: signed ones, each taken once.
* `pulling` and `panels`: ``assetry <tool> pull``, and what is shown of a connection.
"""
