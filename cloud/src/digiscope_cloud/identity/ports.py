"""What the authority needs of the outside."""

from typing import Protocol


class BrokerGate(Protocol):
    """The broker's door: who is on its list stays out, and who is inside can be shown out."""

    def refuse(self, revocation_list_pem: bytes) -> None:
        """Have the broker read this list from now on; TransientError where it didn't."""

    def cut_off(self, client_id: str) -> None:
        """End a connection that stands, and forget what waits for it; TransientError where it can't be proven."""
