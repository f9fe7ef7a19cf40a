"""What was found, and seeds worth keeping: `tests/corpus/<target>/<name>`, each file one input."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "corpus"


def entries(target_name: str) -> Iterator[Path]:
    """List a target's entries, by name."""
    yield from sorted(path for path in (FOLDER / target_name).glob("*") if path.is_file())


def save(target_name: str, content: bytes) -> Path:
    """Keep an input that broke something; `make test` replays it from then on."""
    path = FOLDER / target_name / f"found-{hashlib.sha256(content).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
