"""`digiscope-cloud models`: which bundle serves, since when, and why."""

import getpass
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from digiscope_cloud.audit_log.bootstrap import open_audit_log
from digiscope_cloud.learning.bundle_scoring import score
from digiscope_cloud.learning.datasets.examples import Dataset
from digiscope_cloud.learning.datasets.labelled_folder import open_labelled
from digiscope_cloud.learning.model_registry import gates
from digiscope_cloud.learning.model_registry.catalogue import CANDIDATE, CHAMPION, ModelCatalogue, Move
from digiscope_cloud.learning.model_registry.directory_store import DirectoryObjectStore
from digiscope_cloud.learning.model_registry.gates import Difference, GateError
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.errors import DigiScopeError, SettingsError
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.model_bundle import ModelBundle, load_bundle

_REGISTRY = click.option(
    "--registry", default="models-registry", show_default=True, help="A directory, or PROJECT:gs://BUCKET."
)
_BY = click.option("--by", default=getpass.getuser, show_default="you", help="Who decides.")
_WHY = click.option("--why", required=True, help="The reason, for the log.")


@click.group()
def models() -> None:
    """Keep bundles, and decide which one serves."""


@models.command("list")
@_REGISTRY
@click.option("--json", "as_json", is_flag=True)
def list_command(registry: str, as_json: bool) -> None:  # noqa: FBT001, a flag
    """List bundles and their aliases."""
    catalogue = _open(registry)
    names: dict[str, list[str]] = {}
    for alias, digest in catalogue.aliases().items():
        names.setdefault(digest, []).append(alias)
    if as_json:
        click.echo(json.dumps([{"digest": digest, "aliases": names.get(digest, [])} for digest in catalogue.digests()]))
        return
    for digest in catalogue.digests():
        click.echo(f"{digest[:12]}  {' '.join(names.get(digest, []))}")
    click.echo(DISCLAIMER)


@models.command()
@click.argument("name")
@_REGISTRY
def show(name: str, registry: str) -> None:
    """Show a bundle's card, by alias or digest, and the log of its moves."""
    catalogue = _open(registry)
    with _errors():
        digest = catalogue.resolve(name)
        with tempfile.TemporaryDirectory() as folder:
            bundle = catalogue.fetch(digest, Path(folder))
            click.echo((bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8"))
    click.echo(f"digest {digest}")
    for move in catalogue.log():
        if digest in {move.before, move.after}:
            click.echo(f"{move.at}  {move.act} {move.alias} by {move.by}: {move.why}")


@models.command()
@click.argument("bundle_folder", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="Labelled images, to compare with the champion.")
@click.option("--labels", type=click.Path(path_type=Path))
@click.option("--part", default="", help="Only the rows that have this in a column 'part'.")
@click.option("--as", "alias", type=click.Choice([CHAMPION, CANDIDATE]), default=CHAMPION, show_default=True)
@_REGISTRY
@_BY
@_WHY
def promote(
    *,
    bundle_folder: Path,
    images: Path | None,
    labels: Path | None,
    part: str,
    alias: str,
    registry: str,
    by: str,
    why: str,
) -> None:
    """Let a bundle serve, if it passes the gates. Exit code 1 where a gate refuses it.

    \b
    Example:
      digiscope-cloud models promote runs/cloud/bundle --images images.zip --labels grouped_v1.csv --part val --why "…"
    """
    catalogue = _open(registry)
    with _errors():
        bundle = load_bundle(bundle_folder)
        passed = [gates.check_honest(bundle), "digests are right", gates.check_golden(bundle)]
        before = catalogue.aliases().get(alias, "")
        if alias == CHAMPION and before and before != bundle.digest:
            dataset = open_labelled(images, labels, part=part) if images and labels else None
            passed.append(gates.check_not_worse(_compare(catalogue, before, bundle, dataset)))
        catalogue.add(bundle)
        catalogue.move(
            Move(
                at=_now(),
                by=by,
                why=why,
                act="promote",
                alias=alias,
                before=before,
                after=bundle.digest,
                gates=tuple(passed),
            )
        )
    for gate in passed:
        click.echo(f"passed: {gate}")
    click.echo(f"{alias} is {bundle.digest}\n{DISCLAIMER}")


@models.command()
@_REGISTRY
@_BY
@_WHY
def rollback(registry: str, by: str, why: str) -> None:
    """Give the place back to the champion before this one."""
    catalogue = _open(registry)
    with _errors():
        current = catalogue.aliases().get(CHAMPION, "")
        earlier = [move.before for move in catalogue.log() if move.alias == CHAMPION and move.after == current]
        if not earlier or not earlier[-1]:
            raise SettingsError("there is no champion before this one")
        with tempfile.TemporaryDirectory() as folder:
            passed = gates.check_golden(catalogue.fetch(earlier[-1], Path(folder)))
        catalogue.move(
            Move(
                at=_now(),
                by=by,
                why=why,
                act="rollback",
                alias=CHAMPION,
                before=current,
                after=earlier[-1],
                gates=(passed,),
            )
        )
    click.echo(f"{CHAMPION} is {earlier[-1]}\n{DISCLAIMER}")


@models.command()
@_REGISTRY
def log(registry: str) -> None:
    """Print every move as a line of JSON, oldest first."""
    for move in _open(registry).log():
        click.echo(json.dumps(msgspec.to_builtins(move)))


def _compare(
    catalogue: ModelCatalogue, champion_digest: str, bundle: ModelBundle, dataset: Dataset | None
) -> Difference:
    if dataset is None:
        raise SettingsError("there is a champion: name --images and --labels to compare with it")
    with tempfile.TemporaryDirectory() as folder:
        champion = catalogue.fetch(champion_digest, Path(folder))
        if champion.labels != bundle.labels:
            raise GateError("its labels are not the champion's")
        ours, theirs = score(bundle, dataset), score(champion, dataset)
    return gates.paired_difference(
        ours.classes, ours.probabilities.argmax(axis=1), theirs.probabilities.argmax(axis=1), ours.groups
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _open(registry: str) -> ModelCatalogue:
    project, mark, bucket = registry.partition(":gs://")
    if not mark:
        return ModelCatalogue(DirectoryObjectStore(Path(registry)), audit_log=open_audit_log())
    from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore  # noqa: PLC0415, needs Google's libraries

    store = GcsObjectStore(CloudSettings(project=project, bucket=bucket.strip("/")))
    return ModelCatalogue(store, audit_log=open_audit_log())


class _errors:  # noqa: N801, reads as a statement
    """Turns our errors into click's, exit code 1."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DigiScopeError):
            raise click.ClickException(str(error)) from error
