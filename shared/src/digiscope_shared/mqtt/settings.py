"""Where the broker is and how to prove who we are."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

from digiscope_shared.errors import SettingsError
from digiscope_shared.mqtt.certificate_dates import NO_CHECK_TIME, clock_is_plausible

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """TLS is on where `tls` is true or a certificate file is named; `ca_file` empty: the system's authorities."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    # Also how long a dead link goes unnoticed, at most twice this.
    keepalive_s: int = 15
    # MQTT 5's own default is 0: the broker would forget the session at every cut.
    session_expiry_s: int = 7 * 24 * 3600
    connect_timeout_s: float = 10.0
    # Two hundred devices that come back at once try at most about four times as often in the busiest second as in the
    # mean one; with 1 s and 60 s it was thirteen times, for the first second is crowded and the last minute empty.
    connect_backoff_s: float = 4.0
    connect_backoff_cap_s: float = 20.0
    # A login that was refused stays refused until a person acts; a storm of retries would only fill logs.
    refused_backoff_s: float = 60.0
    # Connected for this long, the link counts as stable, and the backoff starts again from its base.
    stable_after_s: float = 30.0

    # So many young links in a row, accepted at once and then cut, are taken as a second client with our id; 0: never.
    contested_links: int = 6

    def password(self) -> str | None:
        """Read the password; None without a file.

        Raises:
            SettingsError: where the file can't be read.
        """
        if not self.password_file:
            return None
        try:
            return Path(self.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"mqtt.password_file {self.password_file}: can't be read: {error}") from error

    def tls_context(self) -> ssl.SSLContext | None:
        """Build the TLS context; None for a plain link.

        Raises:
            SettingsError: where a certificate or key can't be read.
        """
        if not (self.tls or self.ca_file or self.cert_file):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file or None)
                if not clock_is_plausible(Path(self.cert_file)):
                    _log.warning("clock_implausible", hint="the broker's certificate is taken without its dates")
                    context.verify_flags |= NO_CHECK_TIME
        except (OSError, ValueError) as error:
            files = ", ".join(filter(None, (self.ca_file, self.cert_file, self.key_file)))
            raise SettingsError(f"mqtt: TLS can't be set up with {files or 'the system store'}: {error}") from error
        return context
