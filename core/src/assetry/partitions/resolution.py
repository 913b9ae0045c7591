"""What a mapping means between two definitions; what has no meaning is an error that names both assets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from assetry.errors import DefinitionError, near_names
from assetry.partitions.definitions import PartitionsDefinition, StaticPartitionsDefinition, some
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.links import Every, Link, dimensions_of
from assetry.partitions.mappings import (
    AnyMapping,
    MultiPartitionMapping,
    StaticPartitionMapping,
    TimeWindowPartitionMapping,
    check_mapping,
)
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.ways import ListedKeys, OverlapWay, SameKeys, Way

#: As short as a time can be.
_MOMENT = timedelta(microseconds=1)


def link_between(
    mapping: AnyMapping,
    own: PartitionsDefinition | None,
    upstream: PartitionsDefinition | None,
    asset: str,
    other: str,
    where: str | None = None,
) -> Link:
    """Return what `mapping` means for `asset`, whose partitions are `own`, which is made from `other`.

    None stands for no partitions. Raises `DefinitionError`, with near names, for a mapping that has no meaning between
    the two, for keys that can never meet, and where no window can ever overlap another; `where` is the place to name.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> link_between("same", StaticPartitionsDefinition(["a"]), StaticPartitionsDefinition(["1", "2"]), "b", "up")
    Traceback (most recent call last):
    assetry.errors.DefinitionError: `b` has the partition 'a', and is made from `up`, which has no such partition.
      There are 2: '1', '2'. Say which are read: Dep("up", StaticPartitionMapping({"a": […], …})), or "all".
    """
    return _Resolution(asset, other, where).link(mapping, own, upstream)


@dataclass(frozen=True, slots=True)
class _Resolution:
    """The resolution of one mapping: whom an error is about."""

    asset: str
    other: str
    where: str | None

    def link(
        self, mapping: AnyMapping, own: PartitionsDefinition | None, upstream: PartitionsDefinition | None
    ) -> Link:
        check_mapping(
            mapping, f"Dependency {self.other!r} of asset {self.asset!r} has the partition_mapping", self.where
        )
        if own is None or upstream is None:
            return self._link_of_whole(mapping, own, upstream)
        if (word := _every(mapping)) is not None:
            return Link(own, upstream, every={"": word})
        mine, theirs = dimensions_of(own), dimensions_of(upstream)
        if isinstance(own, MultiPartitionsDefinition) or isinstance(upstream, MultiPartitionsDefinition):
            return self._link_of_several(mapping, own, upstream)
        return Link(own, upstream, {"": ("", self._way(mapping, mine[""], theirs[""]))})

    def _link_of_whole(
        self, mapping: AnyMapping, own: PartitionsDefinition | None, upstream: PartitionsDefinition | None
    ) -> Link:
        if not isinstance(mapping, str):
            without = self.asset if own is None else self.other
            raise self._error(
                f"the partition mapping is {mapping}, and `{without}` has no partitions",
                hint='Leave the mapping out, or write "all" or "last".' if upstream else "Leave the mapping out.",
            )
        return Link(own, upstream, every={"": "last" if mapping == "last" else "all"} if upstream else {})

    # -- several dimensions ------------------------------------------------------------------------------------------

    def _link_of_several(self, mapping: AnyMapping, own: PartitionsDefinition, upstream: PartitionsDefinition) -> Link:
        mine, theirs = dimensions_of(own), dimensions_of(upstream)
        said, names = self._by_dimension(mapping, own, upstream)
        if "" in mine or "" in theirs:
            names = self._single(said, mine, theirs)
        ways: dict[str, tuple[str, Way]] = {}
        every: dict[str, Every] = {}
        for name in theirs:
            here = names.get(name, name)
            how = said.get(here or name, said.get(name, "same"))
            if (word := _every(how)) is not None:
                every[name] = word
            elif here in mine:
                ways[name] = (here, self._way(how, mine[here], theirs[name]))
            else:
                every[name] = "all"
        if not ways and not said:
            raise self._error(
                f"no dimension is in both: {', '.join(mine)} here, {', '.join(theirs)} upstream",
                near=[each for name in mine for each in near_names(name, theirs)],
                hint='Name the pair: MultiPartitionMapping(upstream={"date": "day"}); or write "all".',
            )
        if not ways and set(every.values()) == {"all"}:
            return Link(own, upstream, every={"": "all"})
        return Link(own, upstream, ways, every)

    def _by_dimension(
        self, mapping: AnyMapping, own: PartitionsDefinition, upstream: PartitionsDefinition
    ) -> tuple[dict[str, AnyMapping], dict[str, str]]:
        """Return the mapping of each dimension that is said, and the own names of dimensions upstream."""
        mine, theirs = dimensions_of(own), dimensions_of(upstream)
        if isinstance(mapping, MultiPartitionMapping):
            named = mine if "" not in mine else theirs
            for what, names, known in (
                ("dimension", mapping.dimensions, named),
                ("dimension", mapping.upstream, mine),
                ("dimension upstream", mapping.upstream.values(), theirs),
            ):
                unknown = next((name for name in names if name not in known), None)
                if unknown is not None:
                    raise self._error(
                        f"the partition mapping names the {what} {unknown!r}, which is not there",
                        near=near_names(unknown, known),
                        hint=f"There are {some(known)}.",
                    )
            return dict(mapping.dimensions), {there: here for here, there in mapping.upstream.items()}
        if isinstance(mapping, TimeWindowPartitionMapping):
            # Of the time, where both have one; all other dimensions are the same.
            time = getattr(own, "time", None) or getattr(upstream, "time", None)
            if time is not None:
                return {time: mapping}, {}
        if mapping != "same" and "" not in mine and "" not in theirs:
            raise self._error(
                f"{mapping} does not say which dimension it is of: there are {', '.join(mine)}",
                hint="Write MultiPartitionMapping({…: …}).",
            )
        return ({} if mapping == "same" else dict.fromkeys((*mine, *theirs), mapping)), {}

    def _single(
        self,
        said: Mapping[str, AnyMapping],
        mine: Mapping[str, PartitionsDefinition],
        theirs: Mapping[str, PartitionsDefinition],
    ) -> dict[str, str]:
        """Return which dimension goes with the definition that has just one: upstream name to own name."""
        several = mine if "" in theirs else theirs
        pairs: dict[str, DefinitionError] = {}
        fits = []
        for name in several:
            here, there = ("", theirs[name]) if several is theirs else (name, theirs[""])
            how = said.get(name, "same")
            if _every(how) is not None:
                continue  # of this one, it is said what is read, whatever the partition
            try:
                self._way(how, mine[here], there)
                fits.append(name)
            except DefinitionError as error:
                pairs[name] = error
        named = [name for name in fits if name in said] or fits
        if len(named) == 1:
            return {named[0]: ""} if several is theirs else {"": named[0]}
        if not fits and len(pairs) == 1:
            raise next(iter(pairs.values()))
        what = "more than one dimension fits" if named else "no dimension fits"
        one, many = ("the partitions here", "upstream") if several is theirs else ("the partitions upstream", "here")
        raise self._error(
            f"{what}: {one} are of one dimension, and {', '.join(several)} are there {many}",
            hint='Name it: MultiPartitionMapping({"date": "same"}); or write "all".',
        )

    # -- one dimension -----------------------------------------------------------------------------------------------

    def _way(self, mapping: AnyMapping, own: PartitionsDefinition, upstream: PartitionsDefinition) -> Way:
        times = isinstance(own, TimeWindowPartitionsDefinition), isinstance(upstream, TimeWindowPartitionsDefinition)
        if isinstance(own, TimeWindowPartitionsDefinition) and isinstance(upstream, TimeWindowPartitionsDefinition):
            return self._windows(mapping, own, upstream)
        if isinstance(mapping, StaticPartitionMapping):
            if True in times:
                which = self.asset if times[0] else self.other
                raise self._error(
                    f"keys are listed, and the partitions of `{which}` are windows of time",
                    hint="Write TimeWindowPartitionMapping(…).",
                )
            return self._listed(mapping, own, upstream)
        if True in times or mapping != "same":
            kinds = _kind(own), _kind(upstream)
            said = "" if mapping == "same" else f", so that {mapping} says nothing"
            raise self._error(
                f"its partitions are {kinds[0]}, those upstream {kinds[1]}{said}",
                hint='Write "all" to read all of them, or "last" for the newest.',
            )
        self._refuse_unmet(own, upstream)
        return SameKeys()

    def _windows(
        self, mapping: AnyMapping, own: TimeWindowPartitionsDefinition, upstream: TimeWindowPartitionsDefinition
    ) -> Way:
        if mapping == "same":
            way = OverlapWay(own, upstream)
        elif isinstance(mapping, TimeWindowPartitionMapping):
            moved = (mapping.start, mapping.end)
            mine = mapping.unit == "own"
            way = OverlapWay(own, upstream, before=moved if mine else (0, 0), after=(0, 0) if mine else moved)
        else:
            raise self._error(
                f"keys are listed ({mapping}), and partitions are windows of time",
                hint="Write TimeWindowPartitionMapping(…).",
            )
        self._refuse_never(way)
        return way

    def _refuse_never(self, way: OverlapWay) -> None:
        """Refuse two definitions of which no window can ever be made from one of the other."""
        own, upstream = way.own, way.upstream
        (first, stop), (begin, end) = own.bounds(), upstream.bounds()
        if stop is not None and stop <= first:
            return
        start = own.window_of(max(first + way.before[0], own.lowest or first + way.before[0]))[0]
        lowest = upstream.span(start, start + _MOMENT)[0] + way.after[0]
        late = end is not None and lowest >= end
        early = False
        if stop is not None:
            last = own.window_of(stop - 1 + way.before[1])[1]
            early = upstream.span(last - _MOMENT, last)[1] + way.after[1] <= begin
        if not late and not early:
            return
        edge = upstream.key(begin) if early or end is None else upstream.key(max(end - 1, begin))
        which = "begins with" if early else "ends with"
        raise self._error(
            f"no window of it ({_extent(upstream)}) can ever overlap one of `{self.asset}` ({_extent(own)})",
            near=(edge,),
            hint=f"`{self.other}` {which} {edge!r}: move start_date or end_date of one, or take the dependency out.",
        )

    def _refuse_unmet(self, own: PartitionsDefinition, upstream: PartitionsDefinition) -> None:
        """Refuse listed keys that what is upstream never has."""
        if not (isinstance(own, StaticPartitionsDefinition) and isinstance(upstream, StaticPartitionsDefinition)):
            return
        there = set(upstream.partition_keys)
        unmet = [key for key in own.partition_keys if key not in there]
        if unmet:
            which = f"the partition {unmet[0]!r}" if len(unmet) == 1 else f"the partitions {some(unmet)}"
            raise DefinitionError(
                f"`{self.asset}` has {which}, and is made from `{self.other}`, which has no such partition.",
                where=self.where,
                near=near_names(unmet[0], upstream.partition_keys),
                hint=f"There are {len(there)}: {some(upstream.partition_keys)}. Say which are read: "
                f'Dep("{self.other}", StaticPartitionMapping({{"{unmet[0]}": […], …}})), or "all".',
            )

    def _listed(
        self, mapping: StaticPartitionMapping, own: PartitionsDefinition, upstream: PartitionsDefinition
    ) -> Way:
        named = [key for listed in mapping.keys.values() for key in listed]
        for what, keys, definition in (
            ("a partition", mapping.keys, own),
            ("a partition upstream", named, upstream),
        ):
            known = getattr(definition, "partition_keys", None)
            unknown = None if known is None else next((key for key in keys if key not in known), None)
            if known is not None and unknown is not None:
                raise self._error(
                    f"the partition mapping names {unknown!r}, which is not {what}",
                    near=near_names(unknown, known),
                    hint=f"There are {len(known)}: {some(known)}.",
                )
        left = [key for key in getattr(own, "partition_keys", ()) if key not in mapping.keys]
        if left:
            raise self._error(
                f"the partition mapping says nothing of the partition {left[0]!r}",
                hint=f'Add "{left[0]}": […]; an empty list when it reads nothing of `{self.other}`.',
            )
        return ListedKeys(dict(mapping.keys))

    def _error(self, text: str, near: Iterable[str] = (), hint: str | None = None) -> DefinitionError:
        return DefinitionError(
            f"`{self.asset}` is made from `{self.other}`: {text}.", where=self.where, near=near, hint=hint
        )


def _every(mapping: AnyMapping) -> Every | None:
    return "all" if mapping == "all" else "last" if mapping == "last" else None


def _extent(definition: TimeWindowPartitionsDefinition) -> str:
    first, stop = definition.bounds()
    if stop is None:
        return f"from {definition.key(first)!r} on"
    return f"{definition.key(first)!r} to {definition.key(stop - 1)!r}" if stop > first else "it has none"


def _kind(definition: PartitionsDefinition) -> str:
    tag: tuple[str, str] = getattr(type(definition), "json_tag", ("", "others"))
    return f"{tag[1]} ones"
