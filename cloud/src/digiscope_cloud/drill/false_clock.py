"""A device whose clock jumps: libfaketime before an agent, steered by a file. Debian's package is `faketime`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("/usr/lib/*/faketime/libfaketimeMT.so.1",)
TRUE_TIME: Final = "+0"


def library() -> Path | None:
    """Return libfaketime; None where it isn't installed."""
    return next((path for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))), None)


class FalseClock:
    """The wall clock of one process; its monotonic clock stays true, as a real device's does."""

    def __init__(self, file: Path, faketime: Path) -> None:
        self._file, self._library = file, faketime
        self._file.write_text(TRUE_TIME)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    @contextmanager
    def shows(self, moment: str) -> Iterator[None]:
        """Have it show `moment`, such as `@1970-01-01 00:00:10`, and go on from there."""
        self._file.write_text(moment)
        try:
            yield
        finally:
            self._file.write_text(TRUE_TIME)
