"""The hooks: all that a plugin can do, and all that assetry itself does beyond graph, plan, run and records.

Three manners of calling:

* **claim**: exactly one plugin answers. A plugin that declares its kinds (``ASSETRY_KINDS``) and schemes
  (``ASSETRY_SCHEMES``) is called for these, and never for others; any other plugin is asked, and returns None for what
  is not its own. Two for one kind or scheme are an error that names both; none is an error with the next step.
* **routed**: only the plugin that claimed the integration's kind is called. Its implementation may be a plain
  generator.
* **all**: every plugin is called; one that fails is isolated and recorded, the others go on.

An implementation takes the arguments it needs, by name; arguments added later break no plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from datetime import datetime

    from assetry.errors import AssetryError
    from assetry.hooks.commands import Commands
    from assetry.types.assets import Asset, AssetCheck, Integration
    from assetry.types.contexts import LoadContext, RunContext
    from assetry.types.events import Event
    from assetry.types.hooks.listening import EventContext
    from assetry.types.hooks.nexts import Next
    from assetry.types.hooks.panels import Panel, PanelContext
    from assetry.types.invocations import Invocation, InvocationGroup
    from assetry.types.keys import AssetKey
    from assetry.types.options import CommandOption
    from assetry.types.protocols import Executor, IOManager, Store
    from assetry.types.records import Attempt, EventRecord, ExternalRun, Materialization, RunInfo
    from assetry.types.warnings import AssetWarning

hookspec = pluggy.HookspecMarker("assetry")
hookimpl = pluggy.HookimplMarker("assetry")


@hookspec
def assetry_discover(root: str) -> Iterable[Integration] | None:
    """Return the integrations that can be recognised in a folder that has no project file. All.

    Called with the absolute path of the folder; look at it and one level below, run nothing. Return None or nothing
    when the folder holds none of yours. From a folder that holds none, those above are asked about: what is found
    there counts when an option of it names a folder that this one lies in (``project_dir = "."``).
    """


@hookspec
def assetry_load_assets(integration: Integration, context: LoadContext) -> Iterable[Asset | AssetCheck] | None:
    """Return the assets of an integration. Claim, by `integration.kind`.

    With them may come checks on assets of other integrations, each an `AssetCheck` with `integration=integration`.

    A plugin that declares its kinds (``ASSETRY_KINDS = {"mill": {"tables": TEXTS.needed("…")}}``) is called only for
    these, and its options have been checked. One that does not returns None at once when the kind is not its own, and
    otherwise an iterable, better a lazy one, because the core also asks only to learn who answers; written as a
    generator function it would claim every kind.

    Give each asset `integration=integration`. Raise `IntegrationError` when what the integration points at cannot
    be read; touch the network only when nothing that was read earlier can be used.

    :param integration: the configured tool; `integration.options` is what the project file says.
    :param context: secrets, and `reads`, by which a declared kind says what it reads so that the load can be kept.
    """


@hookspec
def assetry_load_file(path: str, integration: Integration) -> Iterable[Asset | AssetCheck] | None:
    """Return the assets that a file of your tool holds, as if `integration` was loaded from it. Routed.

    For example a manifest that another run of the tool has written: ``assetry diff --since PATH`` compares it with the
    definitions of now. None for a file that is not yours, or of another project than the integration's.

    :param path: the absolute path of a file that is there.
    """


@hookspec
def assetry_load_run(path: str, integration: Integration) -> ExternalRun | None:
    """Return the run of your tool that a file tells of, started by somebody else: a laptop, a CI. Routed.

    ``assetry record PATH`` records it as if assetry had run it. None for a file that is not yours, or of another
    project than the integration's. Tell the code that each asset was really made from, not that of now; what was made
    in another place than the integration's is left out, with the reason. Raise a `UsageError` for a file that is
    damaged; where the file lacks what it is to be judged by, `refused` of the answer says so. Run nothing.

    :param path: the absolute path of a file that is there.
    """


@hookspec
def assetry_local_files(integration: Integration) -> Iterable[str] | None:
    """Return the files and folders that loading an integration needs, and that version control leaves out. Routed.

    Such as installed packages, or what was read of a service. ``assetry diff --since COMMIT`` loads the definitions of
    another commit from a folder of its own: there it copies such a file, and links such a folder, where the commit has
    none itself, and says so. Absolute, or from `integration.root`; they need not exist.
    """


@hookspec
def assetry_invocation_group(asset: Asset) -> InvocationGroup | None:
    """Return the unit of collapse that `asset` belongs to; None when it runs on its own. Routed.

    Called once per asset when a plan is made; must be pure and fast. Assets with equal group keys may share one
    invocation, so put everything that is global to one invocation into the key.
    """


@hookspec
def assetry_invocation_command(invocation: Invocation) -> str | None:
    """Return the command or call by which `invocation` will be carried out, for people to read. Routed.

    Shown by `assetry plan`; never a secret in it. None when there is nothing to show.
    """


@hookspec
def assetry_invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:  # type: ignore[empty-body]
    """Run all of an invocation in ONE go, yielding events as they happen. Routed.

    What an implementation promises:

    1. One outside process or job per call.
    2. Events are yielded when they happen, not at the end: what is downstream of an asset starts at its event.
    3. Exactly one terminal event (`Materialized`, `Failed` or `Skipped`) per asset of `invocation.assets`, and a
       `Checked` per check of `invocation.checks` that was run. Of an asset with partitions one for each of them, or
       one for neighbours that came out alike, from `partition` to `through`; without a partition it is for all that
       are left.
    4. An asset's failure is an event; raising means that the invocation itself broke, and fails the run even where
       every asset was made: that a hook or a step of the tool that belongs to no asset has failed is raised too.
       A `Failed` after a `Materialized` takes that back, for a tool whose last word is another one than its first.
    5. Closing the generator stops the tool. `context.cancelled` becomes true a moment before.
    6. `Handle(token)` as soon as an outside job exists: after a crash the core calls again with
       `context.resume = token`, and the plugin re-attaches instead of starting a second job. When that job will
       certainly report nothing more, raise `JobOverError`: the core calls once more, without a token.
    7. Nothing is taken from globals, so that it may run on another machine.

    The core drains the stream itself and repairs it: an asset without a terminal event gets one, an event for a
    foreign asset is recorded as a fault of the plugin, and an exception is attributed to the assets that had started.

    `Started` is optional. Without it an asset has begun with its first `Progress`, for which the core records the
    `Started`. Of a tool that yields none at all, a `Log` with the asset's key counts too; and when it breaks with
    nothing said of what is left, all that is left has failed. How long an asset took counts from its start, else from
    the first line about it, or from the start of an invocation that makes it alone; else it is not known.

    What is too large for a record is cut, with a note: texts after 64 Ki characters, and of metadata what is largest
    when they have more than 1 Mi. Secrets that were handed out are masked.

    :param invocation: what to run; `invocation.assets` are in dependency order.
    :param context: the run: secrets, values, cancellation, log.
    """


@hookspec
def assetry_observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:  # type: ignore[empty-body]
    """Look at the assets of `invocation` without running anything; yield `Observed`. Routed.

    For what happened outside: the last sync that was started elsewhere, the data of a source, a table that is gone.
    Among the assets are those that nothing here makes, but for consumers. Whether what is kept in a place with
    `IOManager.exists` is there, the core asks itself.

    Where partitions of such an asset come into being, one is there once it is `Observed`, also in what is made of it
    partition by partition, and dropped once it is `Observed` as `gone`; `invocation.partitions_of(asset)` are those
    that are known.
    """


@hookspec
def assetry_gone_hint(asset: Asset) -> str | None:
    """Return the next step for an asset that is not there any more, as its place says; None to make it anew. Routed.

    For what is not brought back by being made as usual, such as a table that a sync only adds new rows to: then
    `assetry status` advises that step. Asked by `assetry observe`, also where `assetry_observe` could not be answered,
    so look at nothing outside. What `assetry_observe` has said itself, by ``Observed(gone=True, hint=…)``, goes before.
    """


@hookspec
def assetry_failure_hint(asset: Asset, failure: Attempt) -> str | None:
    """Return the next step after a try that failed, where its own is not the one any more; None to keep that. Routed.

    For a failure whose cause is outside, and may be seen to have gone before anything is run again: a table was
    enabled, a connection was deleted. An empty text says that there is nothing to be done. Asked whenever it is told
    how the asset is, so look at nothing outside: its definition is what is known.

    :param asset: the asset, as it is defined now.
    :param failure: how its last try ended; its `hint` is the next step that was told then, and not None.
    """


@hookspec
def assetry_delete(
    record: Materialization, integration: Integration | None, partitions: Sequence[str] | None, context: RunContext
) -> str | None:
    """Delete what was made of an asset that nothing defines any more; return what that was. The first answer counts.

    Asked are the plugins of the project itself that load no assets, the last one first, then the one that claimed the
    kind of `integration`. When none answers, the IO manager of the place that it is in deletes it. Called once for each
    asset by ``assetry prune --delete``, while no run can make it. What is not there any more counts as deleted. Raise
    when it cannot be deleted, also where something else stands on it, such as a view on a table: never take that along.
    Then its record stays.

    :param record: the last record of it; `record.origin` tells what it is, and where.
    :param integration: the one that made it; None when the project has none of that name and kind any more.
    :param partitions: which partitions of it are no more, where the rest of it stays; None for all of it.
    :param context: the run: secrets, values, log.
    """


@hookspec
def assetry_io_url(integration: Integration) -> str | None:
    """Return the URL of the IO manager that reads and writes the tables of an integration. Routed.

    For example the warehouse that a dbt profile names. Called when values are to be read, never stored or shown, so
    it may carry a password. None when the tables cannot be reached.
    """


@hookspec
def assetry_open_io(url: str) -> IOManager | None:
    """Return the IO manager for `url`. Claim, by the URL's scheme.

    Signs that mean something in a URL are percent-encoded in its path: the folder of a project may have any.
    Return None for a scheme that is not yours, unless yours are declared
    (``ASSETRY_SCHEMES = {"io": ("duckdb",)}``). Do not connect yet: connect at the first load or save.
    """


@hookspec
def assetry_open_store(url: str) -> Store | None:
    """Return the store for `url`. Claim, by the URL's scheme. Raise `StoreError` when it cannot be opened."""


@hookspec
def assetry_open_executor(url: str) -> Executor | None:
    """Return the executor for `url` (``threads:8``). Claim, by the URL's scheme."""


@hookspec
def assetry_secret(name: str) -> str | None:
    """Return the secret `name`, from a vault or a keyring. Claim, by the name.

    Asked when a secret is needed that no environment variable of that name holds: the environment goes first, so that
    one can be given for once. `name` is what stands in the project file: NAME in ``{ env = "NAME" }``, any text in
    ``{ secret = "path/name" }``. Return None for a name that you do not have; two answers are an error that names both
    plugins, and never the value. Raise an `AssetryError` when it cannot be told, such as from a vault that is locked.

    It may be called from any thread, and again for the same name: keep what took long to get. What it returns is masked
    in all that assetry shows and records.
    """


@hookspec(firstresult=True)
def assetry_selection_hint(method: str, value: str) -> str | None:
    """Return what to write instead of ``method:value`` in a selection. The first answer counts.

    For words that select in your tool, and find no assets here: asked when no method of that name is known, and for a
    `state` that does not exist. The answer is the hint of the error. Pure and fast; None for words that are not yours.
    """


@hookspec
def assetry_named_selections(integration: Integration) -> Mapping[str, str] | None:
    """Return the selections that an integration's own files give names to: by name, the text of each. Routed.

    ``selector:NAME`` means it. A text is read as one that a person types; an empty one stands for a selection that
    cannot be written so. Called after the integration was loaded, and only when such a name occurs.
    """


@hookspec(firstresult=True)
def assetry_value_metadata(value: Any) -> Mapping[str, Any] | None:
    """Return facts about a Python value: ``rows``, ``columns``, ``preview``. The first answer counts.

    Called once per value that an asset function returned, before it is kept; of a table for several partitions once for
    the rows of each, as `pyarrow.Table`. Never compute what is expensive.
    """


@hookspec
def assetry_warnings(
    integration: Integration,
    assets: Sequence[Asset],
    readers: Mapping[AssetKey, Sequence[Asset]],
    elsewhere: Sequence[Asset],
    now: datetime,
) -> Iterable[AssetWarning] | None:
    """Return warnings about assets: of what will be gone, of what is read by those who should not. Routed.

    Told by `assetry check`, `plan`, `status` and `show`, and computed anew each time: from the definitions and
    the time alone, without looking at anything.

    :param assets: all that the integration has in the graph, in its order.
    :param readers: by the key of each of these, the assets that are made from it, of whichever integration.
    :param elsewhere: assets of whichever integration that are made elsewhere, such as sources of dbt: you may know why.
    :param now: the time that is meant.
    """


@hookspec
def assetry_check(project: Any) -> Iterable[AssetryError] | None:
    """Return what is wrong with your own tables of the project file, and with what you are given to work with. All.

    Told by `assetry check`, which fails then, each with its place, near names and next step: what can be known before
    should not come up first in a run. Look at what is written only, and raise nothing for it.

    :param project: the `Project` that is checked; `project.settings.tables` are the tables.
    """


@hookspec
def assetry_invocation_notes(invocation: Invocation) -> Iterable[str] | None:
    """Return what a plan should tell of an invocation beside its command, such as what it reads elsewhere. Routed.

    Each a sentence without its full stop, for people; called only where a plan is shown.
    """


@hookspec
def assetry_event(event: EventRecord, run: RunInfo, context: EventContext) -> None:
    """Hear of an event after it was recorded: notifications, metrics, lineage. All.

    Never on the critical path: called on a thread of its own, in order; a failure is logged and the run goes on. What
    is told of many partitions may be one event: with `through` it is of all from `partition` to that one, of `count`.
    At its end a run waits for those who listen, but for 5 seconds at most: what may take long, as a service that does
    not answer, belongs into a process of its own. A plugin that declares tables of its own (`ASSETRY_TABLES`) hears of
    events only in projects whose file has one of them.

    :param context: the project: its folder, your tables of the project file, records and assets.
    """


@hookspec
def assetry_next(project: Any, statuses: Sequence[Any], now: datetime) -> Mapping[AssetKey, Next] | None:
    """Return when assets are made next, of those of which you know it. All.

    Asked by `assetry status` and `assetry show`, and by `Project.next`. Of two plugins that tell of one asset the one
    that names the earlier moment counts. Decide by what is given and by the records of the project, without looking
    elsewhere.

    :param project: the `Project` that is asked.
    :param statuses: how all of its assets are at `now`, in graph order.
    :param now: the moment that is meant.
    """


@hookspec
def assetry_add_commands(commands: Commands) -> None:
    """Add commands to the command line, each a plain function. All.

    Add one group named as your entry point: ``assetry --help`` shows that name without loading you. What the function
    of a command may look like, `CommandGroup.command` says; one that cannot be called is told by ``assetry plugins``,
    and so is a group that another plugin, or assetry itself, has a command of that name.
    """


@hookspec
def assetry_command_options() -> Iterable[CommandOption] | None:
    """Return the options of your integrations that commands take, such as ``--target``. All.

    What is given on the command line, or to `Project.plan` and `Project.materialize`, goes for that call in the place
    of the option of that name of every integration of your kind, as if the project file said it. So it is part of what
    your other hooks are given, and is kept with the run for `assetry retry`. Put what is global to an invocation into
    its group and its command, as with any other option.
    """


@hookspec
def assetry_panels(asset: Asset, context: PanelContext) -> Iterable[Panel] | None:
    """Return panels about an asset for `assetry show` and the UI: titles, tables, markdown, links. All.

    Data, never HTML.
    """
