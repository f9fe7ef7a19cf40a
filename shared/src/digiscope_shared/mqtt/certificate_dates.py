"""Is this machine's clock plausible? Its own certificate is a witness: nobody holds one that isn't valid yet.

A Pi has no clock chip, and a device that may speak nothing but MQTT has no time server: after a power cut it lives in
the past until somebody sets its clock. Were the broker's certificate held against that clock, it could never connect.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

# X509_V_FLAG_NO_CHECK_TIME, which Python's ssl doesn't name: https://docs.openssl.org/3.0/man3/X509_VERIFY_PARAM_set_flags/
NO_CHECK_TIME: Final = 0x200000


def clock_is_plausible(own_certificate: Path, now: datetime | None = None) -> bool:
    """Tell whether now lies within our own certificate's validity; OSError or ValueError where it can't be read.

    Outside of it the clock is wrong, or the certificate has expired and the broker, whose clock is right, refuses it.
    """
    certificate = x509.load_pem_x509_certificate(own_certificate.read_bytes())
    return certificate.not_valid_before_utc <= (now or datetime.now(UTC)) <= certificate.not_valid_after_utc
