"""The paho client with what it lacks: backpressure, damaged strings, certificate alerts, CONNACK's Receive Maximum."""

import ssl
import struct
import time
from typing import Any

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.exception import MQTTException

from digiscope_shared.errors import PermanentError
from digiscope_shared.mqtt.byte_window import ByteWindow
from digiscope_shared.mqtt.packets import read_damaged_publish

_log = structlog.get_logger()


class TolerantClient(paho.Client):
    """A paho client that stops reading while the window is full, and survives damaged strings.

    paho's reader ends the link at a string that the broker lets through, and would meet it again on the next.
    """

    def __init__(self, window: ByteWindow, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._window = window
        self._unheard_ping_s = 0.0
        self.certificate_alert = ""

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._window.full:
            # As if nothing had come: the kernel's buffers fill, and then the broker holds back.
            raise BlockingIOError
        try:
            return super()._sock_recv(bufsize)
        except ssl.SSLError as error:
            # Such as SSLV3_ALERT_CERTIFICATE_REVOKED; paho tells nobody.
            _, _, alert = (error.reason or "").partition("_ALERT_")
            if "CERTIFICATE" in alert or "CA" in alert:
                self.certificate_alert = alert.lower().replace("_", " ")
            raise

    def keep_alive_unheard(self) -> MQTTErrorCode:
        """While nothing is read, the broker's answers to pings wait behind the messages: ping, and don't expect."""
        now_s = time.monotonic()
        if now_s - self._unheard_ping_s > self._keepalive / 2:
            self._unheard_ping_s = now_s
            self._send_pingreq()
        self._ping_t = 0.0
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def obey(self, receive_maximum: int) -> None:
        # paho ignores what CONNACK says and sends 20 at a time; its own setter works only before the connection.
        self._max_inflight_messages = receive_maximum

    def _handle_publish(self) -> MQTTErrorCode:
        try:
            return super()._handle_publish()
        except (MQTTException, UnicodeDecodeError, struct.error, LookupError) as error:
            qos = (self._in_packet["command"] & 0x06) >> 1
            try:
                message = read_damaged_publish(bytes(self._in_packet["packet"]), qos=qos)
            except PermanentError:
                return MQTTErrorCode.MQTT_ERR_PROTOCOL
            _log.warning("mqtt_message_damaged", mqtt_topic=message.topic, error=str(error))
            self._handle_on_message(message)
            return MQTTErrorCode.MQTT_ERR_SUCCESS
