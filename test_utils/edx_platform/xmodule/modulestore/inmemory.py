"""A modulestore without Mongo: structures in memory, the published ones in files if need be."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zlib import crc32

from django.conf import settings
from edx_django_utils.cache import DEFAULT_REQUEST_CACHE
from opaque_keys.edx.keys import CourseKey, UsageKey
from xmodule.modulestore import ModuleStoreEnum, course_index
from xmodule.modulestore.blocks import FAILS_TO_BUILD, ROOT, Block, BlockData, Ref, Structure, read_block
from xmodule.modulestore.exceptions import DuplicateItemError, ItemNotFoundError
from xmodule.modulestore.structure_files import StructureFiles

if TYPE_CHECKING:
    from xmodule.modulestore.django import SignalHandler

DRAFT = ModuleStoreEnum.BranchName.draft
PUBLISHED = ModuleStoreEnum.BranchName.published
# Left out of a block's description: its blocks get the time of the edit.
NOW = object()
# The default request cache holds structures under this key, by version.
COURSE_CACHE = "course_cache"
# A place where no block is.
FAILS_TO_LOAD: Ref = ("html", "fails_to_load")


class _BulkOperation:
    """The open bulk operation of one thread on one course."""

    def __init__(self) -> None:
        self.depth = 0
        self.structures: dict[str, Structure] = {}
        self.has_publish_item = False


class InMemoryModuleStore:
    """The part of the platform's store that readers meet, and short ways to write.

    For assertions: ``reads_outside_bulk`` counts reads made outside ``bulk_operations``,
    ``structure_fetches`` how often a structure was fetched, per course (once per bulk operation and branch,
    else once per read).
    """

    def __init__(self, signal_handler: SignalHandler) -> None:
        self.signal_handler = signal_handler
        self.reads_outside_bulk = 0
        self.structure_fetches: Counter[str] = Counter()
        self._drafts: dict[str, Structure] = {}
        self._draft_bases: dict[str, str] = {}
        self._structures_in_memory: dict[str, Structure] = {}
        self._structure_files: StructureFiles | None = None
        self._local = threading.local()
        self._lock = threading.RLock()

    # Reading

    def get_course(self, course_key: CourseKey, depth: int | None = 0, **kwargs: Any) -> Block | None:
        """Return the course's root, or None when there is no such course (or nothing published of it).

        As on the platform, ``revision`` and all other keyword arguments are ignored: the branch is the key's own, else
        the service's.
        """
        structure = self._fetch(course_key, None)
        if structure is None or ROOT not in structure.blocks:
            return None
        return read_block(structure, self._versioned(course_key, structure), structure.blocks[ROOT])

    def get_items(
        self,
        course_key: CourseKey,
        settings: dict[str, Any] | None = None,
        content: dict[str, Any] | None = None,
        qualifiers: dict[str, Any] | None = None,
        revision: str | None = None,
        **kwargs: Any,
    ) -> list[Block]:
        """Return the course's blocks that match, **in no order**, detached ones and orphans included.

        ``qualifiers`` may hold "category" (a block type or a list of them) and "name" (a block id);
        ``settings`` values of fields. Raises ItemNotFoundError when the store has no such course.
        """
        structure = self._fetch(course_key, revision)
        if structure is None:
            raise ItemNotFoundError(f"no course {course_key}")
        qualifiers = qualifiers or {}
        categories = qualifiers.get("category")
        if isinstance(categories, str):
            categories = [categories]
        versioned = self._versioned(course_key, structure)
        found = [
            data
            for data in structure.blocks.values()
            if (categories is None or data.block_type in categories)
            and qualifiers.get("name") in (None, data.block_id)
            and all(data.fields.get(name) == value for name, value in (settings or {}).items())
        ]
        # The platform promises no order, so this order is not one that a reader could rely on.
        found.sort(key=lambda data: crc32(data.block_id.encode()))
        return [read_block(structure, versioned, data) for data in found]

    def get_item(self, usage_key: UsageKey, depth: int | None = 0, revision: str | None = None, **kwargs: Any) -> Block:
        """Return one block; raise ItemNotFoundError when there is none."""
        structure = self._fetch(usage_key.course_key, revision)
        data = structure and structure.blocks.get((usage_key.block_type, usage_key.block_id))
        if not structure or not data:
            raise ItemNotFoundError(f"no block {usage_key}")
        return read_block(structure, self._versioned(usage_key.course_key, structure), data)

    def has_course(self, course_key: CourseKey, ignore_case: bool = False, **kwargs: Any) -> bool:
        """Tell whether the store has the course."""
        return self._fetch(course_key, None) is not None

    def get_courses(self, **kwargs: Any) -> list[Block]:
        """Return the roots of all courses that this service sees."""
        courses = (self.get_course(CourseKey.from_string(course_id)) for course_id in self._course_ids())
        return [course for course in courses if course is not None]

    @contextmanager
    def bulk_operations(
        self, course_key: CourseKey, emit_signals: bool = True, ignore_case: bool = False
    ) -> Iterator[None]:
        """Let the reads of this thread share one fetch, and its publishes one signal, sent at the end."""
        course_id = _course_id(course_key)
        operations = self._operations()
        operation = operations.setdefault(course_id, _BulkOperation())
        operation.depth += 1
        try:
            yield
        finally:
            operation.depth -= 1
            if not operation.depth:
                del operations[course_id]
                if operation.has_publish_item and emit_signals:
                    self._send("course_published", course_id)

    # Writing

    def create_course(
        self, course_key: CourseKey, tree: dict[str, Any], detached: Iterable[dict[str, Any]] = ()
    ) -> None:
        """Make a draft of a whole course; raise DuplicateItemError when there is one.

        A block is {"type", "id", "fields": {...}, "children": [blocks], "edited_on": datetime or None}; all
        but "type" and "id" may be left out. The root's type and id are "course" whatever it says. None
        among the children is one that will fail to load. ``edited_on`` is now unless it is given; None
        takes the attribute away.
        """
        course_id = _course_id(course_key)
        if course_id in self._course_ids():
            raise DuplicateItemError(f"there is a course {course_id} already")
        blocks: dict[Ref, BlockData] = {}
        now = _now()
        _add_blocks(blocks, {**tree, "type": ROOT[0], "id": ROOT[1]}, now)
        for block in detached:
            _add_blocks(blocks, block, now)
        with self._lock:
            self._drafts[course_id] = Structure(DRAFT, blocks)

    def edit(self, usage_key: UsageKey, **fields: Any) -> None:
        """Change fields of a draft block; ``edited_on`` becomes now."""
        with self._editing(usage_key.course_key) as draft:
            data = _existing(draft, usage_key)
            draft.blocks[data.ref] = replace(data, fields={**data.fields, **fields}, edited_on=_now())

    def edit_course(self, course_key: CourseKey, **fields: Any) -> None:
        """Change settings of the draft course."""
        self.edit(course_key.make_usage_key(*ROOT), **fields)

    def add_block(self, parent: UsageKey | CourseKey, block: dict[str, Any]) -> UsageKey:
        """Put a draft block (see create_course) at the end of the parent's children and return its key.

        With a course key for the parent the block hangs in no tree: a detached block or an orphan.
        """
        course_key = parent if isinstance(parent, CourseKey) else parent.course_key
        with self._editing(course_key) as draft:
            ref = _add_blocks(draft.blocks, block, _now())
            if not isinstance(parent, CourseKey):
                self._append_child(draft, parent, ref)
        return course_key.for_branch(None).make_usage_key(*ref)

    def add_broken_child(self, parent: UsageKey) -> None:
        """Give the draft parent a child that fails to load: ``get_children`` leaves it out."""
        with self._editing(parent.course_key) as draft:
            self._append_child(draft, parent, FAILS_TO_LOAD)

    def add_child(self, parent: UsageKey, child: UsageKey) -> None:
        """Put a draft block under one more parent, which makes a cycle where the parent is below the child."""
        with self._editing(parent.course_key) as draft:
            self._append_child(draft, parent, _existing(draft, child).ref)

    def break_block(self, usage_key: UsageKey) -> None:
        """Make a draft block's class fail to build: readers get an ErrorBlock."""
        self.edit(usage_key, **{FAILS_TO_BUILD: True})

    def remove_block(self, usage_key: UsageKey) -> None:
        """Take a draft block and everything below it out of the course."""
        with self._editing(usage_key.course_key) as draft:
            ref = _existing(draft, usage_key).ref
            gone = set(draft.descendants(ref))
            for other in [data for data in draft.blocks.values() if ref in data.children]:
                children = tuple(child for child in other.children if child != ref)
                draft.blocks[other.ref] = replace(other, children=children, edited_on=_now())
            for each in gone:
                del draft.blocks[each]

    def publish(self, course_key: CourseKey, emit_signals: bool = True) -> None:
        """Publish the draft, with the transaction. Sends COURSE_PUBLISHED, at the end of ``bulk_operations`` if they
        are on."""
        course_id = _course_id(course_key)
        with self._lock:
            draft = self._draft(course_id)
            if draft is None:
                raise ItemNotFoundError(f"no course {course_id}")
            structure = Structure(PUBLISHED, dict(draft.blocks))
            self._structures()[structure.version] = structure
        # Not under the lock, because it may wait for another thread's transaction.
        course_index.set_published_version(course_id, structure.version)
        self._draft_bases[course_id] = structure.version
        operation = self._operations().get(course_id)
        if operation is not None:
            operation.structures.pop(PUBLISHED, None)
            operation.has_publish_item |= emit_signals
        elif emit_signals:
            self._send("course_published", course_id)

    def vanish(self, course_key: CourseKey) -> None:
        """Lose the course without a word: no signal is sent and the CourseOverview row stays."""
        course_id = _course_id(course_key)
        with self._lock:
            self._drafts.pop(course_id, None)
            self._draft_bases.pop(course_id, None)
        course_index.forget(course_id)

    def delete_course(self, course_key: CourseKey, user_id: int | None = None) -> None:
        """Delete the course and send COURSE_DELETED, on which the platform deletes the CourseOverview row."""
        self.vanish(course_key)
        self._send("course_deleted", _course_id(course_key))

    def clear(self) -> None:
        """Forget all courses and counts."""
        for course_id in list(self._course_ids()):
            self.vanish(CourseKey.from_string(course_id))
        self.reads_outside_bulk = 0
        self.structure_fetches.clear()

    # Inside

    def _fetch(self, course_key: CourseKey, revision: str | None) -> Structure | None:
        """The structure that a read with this key and revision means."""
        course_id = _course_id(course_key)
        branch = _branch(course_key, revision)
        operation = self._operations().get(course_id)
        if operation is None:
            self.reads_outside_bulk += 1
        elif branch in operation.structures:
            return operation.structures[branch]
        self.structure_fetches[course_id] += 1
        with self._lock:
            structure = self._published(course_id) if branch == PUBLISHED else self._draft(course_id)
            if structure is not None and branch == DRAFT:
                # A reader keeps what it has read, whatever is edited meanwhile.
                structure = replace(structure, blocks=dict(structure.blocks))
        if structure is not None:
            self._cached(structure)
            if operation is not None:
                operation.structures[branch] = structure
        return structure

    @staticmethod
    def _cached(structure: Structure) -> None:
        """Keep the structure to the end of the request or task, as a split store does with what it has read."""
        DEFAULT_REQUEST_CACHE.data.setdefault(COURSE_CACHE, {})[structure.version] = structure

    @contextmanager
    def _editing(self, course_key: CourseKey) -> Iterator[Structure]:
        course_id = _course_id(course_key)
        with self._lock:
            draft = self._draft(course_id)
            if draft is None:
                raise ItemNotFoundError(f"no course {course_id}")
            # Another version from here on; and no longer what is published.
            draft = self._drafts[course_id] = Structure(DRAFT, dict(draft.blocks))
            self._draft_bases.pop(course_id, None)
            yield draft
        operation = self._operations().get(course_id)
        if operation is not None:
            operation.structures.pop(DRAFT, None)

    def _draft(self, course_id: str) -> Structure | None:
        """The draft; where nothing was edited here since the last publish, it is what is published by now."""
        draft = self._drafts.get(course_id)
        if draft is not None and course_id not in self._draft_bases:
            return draft
        published = self._published(course_id)
        if published is None:
            return draft
        if draft is None or self._draft_bases[course_id] != published.version:
            draft = self._drafts[course_id] = Structure(DRAFT, dict(published.blocks))
            self._draft_bases[course_id] = published.version
        return draft

    def _published(self, course_id: str) -> Structure | None:
        version = course_index.published_version(course_id)
        return self._structures().get(version) if version else None

    def _structures(self) -> Any:
        """Published structures by version."""
        folder = settings.STANDIN_COURSES_DIR
        if not folder:
            return self._structures_in_memory
        if self._structure_files is None or str(self._structure_files.folder) != str(folder):
            self._structure_files = StructureFiles(folder)
        return self._structure_files

    def _course_ids(self) -> list[str]:
        return sorted({*self._drafts, *course_index.published_course_ids()})

    def _operations(self) -> dict[str, _BulkOperation]:
        if not hasattr(self._local, "operations"):
            self._local.operations = {}
        return self._local.operations

    def _send(self, signal_name: str, course_id: str) -> None:
        self.signal_handler.send(signal_name, course_key=CourseKey.from_string(course_id))

    @staticmethod
    def _append_child(draft: Structure, parent: UsageKey, ref: Ref) -> None:
        data = _existing(draft, parent)
        draft.blocks[data.ref] = replace(data, children=(*data.children, ref), edited_on=_now())

    @staticmethod
    def _versioned(course_key: CourseKey, structure: Structure) -> CourseKey:
        return course_key.for_branch(structure.branch).for_version(structure.version)


def _add_blocks(blocks: dict[Ref, BlockData], block: dict[str, Any], now: datetime) -> Ref:
    """Add the block and everything below it, and return its place."""
    ref = (block["type"], block["id"])
    if ref in blocks:
        raise DuplicateItemError(f"there is a block {ref[0]}@{ref[1]} already")
    edited_on = block.get("edited_on", NOW)
    # The block's own place is taken first, so that blocks stand in the order of the tree.
    blocks[ref] = BlockData(*ref)
    blocks[ref] = BlockData(
        *ref,
        fields=dict(block.get("fields", {})),
        children=tuple(
            FAILS_TO_LOAD if child is None else _add_blocks(blocks, child, now) for child in block.get("children", ())
        ),
        edited_on=now if edited_on is NOW else edited_on,
    )
    return ref


def _existing(structure: Structure, usage_key: UsageKey) -> BlockData:
    try:
        return structure.blocks[usage_key.block_type, usage_key.block_id]
    except KeyError:
        raise ItemNotFoundError(f"no block {usage_key}") from None


def _branch(course_key: CourseKey, revision: str | None) -> str:
    """The branch that a read means: by its revision, by its key, or by the service it is made in."""
    if revision is not None:
        return PUBLISHED if revision == ModuleStoreEnum.RevisionOption.published_only else DRAFT
    if course_key.branch is not None:
        return course_key.branch
    is_lms = ModuleStoreEnum.Branch.published_only == settings.MODULESTORE_BRANCH
    return PUBLISHED if is_lms else DRAFT


def _course_id(course_key: CourseKey) -> str:
    """The course under which the store keeps it: for a CCX its master, without branch and version."""
    if hasattr(course_key, "to_course_locator"):
        course_key = course_key.to_course_locator()
    return str(course_key.for_branch(None))


def _now() -> datetime:
    return datetime.now(UTC)
