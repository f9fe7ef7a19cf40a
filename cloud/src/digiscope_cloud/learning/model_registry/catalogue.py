"""Bundles under their digests, aliases to them, and an append-only log of who moved an alias and why."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from digiscope_cloud.audit_log.entries import Act, AuditEntry, AuditLog, NoAuditLog
from digiscope_cloud.ports import AlreadyExistsError, ConflictError, NotFoundError, ObjectStore
from digiscope_shared.codec import decode_json, encode_json
from digiscope_shared.errors import SettingsError
from digiscope_shared.model_bundle import MANIFEST, ModelBundle, load_bundle

MODELS: Final = "models/"
_ALIASES: Final = f"{MODELS}aliases.json"
_LOG: Final = f"{MODELS}log/"
CHAMPION: Final = "champion"
CANDIDATE: Final = "candidate"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One line of the log; `before` is empty where the alias was new."""

    SCHEMA: ClassVar[str] = "digiscope.model-move/1"

    at: str
    by: str
    why: str
    act: str
    alias: str
    before: str
    after: str
    gates: tuple[str, ...] = ()


class ModelCatalogue:
    """What is in one bucket or directory."""

    def __init__(self, store: ObjectStore, *, audit_log: AuditLog | None = None) -> None:
        self._store = store
        self._audit_log = audit_log or NoAuditLog()

    def add(self, bundle: ModelBundle) -> None:
        """Store a bundle's files; one that is there stays as it is, since its name is its digest."""
        for name in (*sorted(bundle.manifest.files), MANIFEST):
            content = (bundle.path / name).read_bytes()
            try:
                self._store.create(_file(bundle.digest, name), content, content_type="application/octet-stream")
            except AlreadyExistsError:
                continue

    def fetch(self, digest: str, folder: Path) -> ModelBundle:
        """Copy a bundle into a folder and load it, which checks its digests."""
        found = False
        for item in self._store.list(f"{MODELS}{digest}/"):
            found = True
            folder.mkdir(parents=True, exist_ok=True)
            (folder / item.name.rsplit("/", 1)[-1]).write_bytes(self._store.read(item.name)[0])
        if not found:
            raise SettingsError(f"no bundle {digest} here")
        return load_bundle(folder)

    def digests(self) -> list[str]:
        found = (item.name.removeprefix(MODELS).split("/") for item in self._store.list(MODELS))
        return [parts[0] for parts in found if len(parts) == 2 and parts[1] == MANIFEST]  # noqa: PLR2004, digest/name

    def aliases(self) -> dict[str, str]:
        return self._aliases()[0]

    def resolve(self, name: str) -> str:
        """Return the digest of an alias, a digest, or the start of one."""
        name = self.aliases().get(name, name)
        matches = [digest for digest in self.digests() if digest.startswith(name)]
        if len(matches) != 1:
            raise SettingsError(f"{name}: {'no' if not matches else 'more than one'} bundle of that name here")
        return matches[0]

    def move(self, move: Move) -> None:
        """Log first, then move the alias: a cut between the two leaves a line too many, never one too few.

        Raises:
            SettingsError: somebody else moved an alias meanwhile.
        """
        aliases, generation = self._aliases()
        if aliases.get(move.alias, "") != move.before:
            raise SettingsError(f"{move.alias} was moved meanwhile: look again")
        self._append(move)
        self._audit_log.append(_audit_entry(move))
        content = json.dumps(aliases | {move.alias: move.after}, indent=1, sort_keys=True).encode()
        try:
            self._store.replace(_ALIASES, content, content_type=_JSON, generation=generation)
        except ConflictError as error:
            raise SettingsError(f"{move.alias} was moved meanwhile: look again") from error

    def log(self) -> Iterator[Move]:
        """Return all moves, oldest first."""
        for item in self._store.list(_LOG):
            yield decode_json(Move, self._store.read(item.name)[0])

    def _append(self, move: Move) -> None:
        number = sum(1 for _ in self._store.list(_LOG)) + 1
        try:
            self._store.create(f"{_LOG}{number:06d}.json", encode_json(move), content_type=_JSON)
        except AlreadyExistsError as error:
            raise SettingsError("somebody else is moving an alias: try again") from error

    def _aliases(self) -> tuple[dict[str, str], int]:
        try:
            content, item = self._store.read(_ALIASES)
        except NotFoundError:
            return {}, 0
        return json.loads(content), item.generation


def _audit_entry(move: Move) -> AuditEntry:
    detail = {"act": move.act, "alias": move.alias, "before": move.before, "why": move.why}
    return AuditEntry(act=Act.PROMOTED, subject=move.after, actor=move.by, detail=detail)


def _file(digest: str, name: str) -> str:
    return f"{MODELS}{digest}/{name}"
