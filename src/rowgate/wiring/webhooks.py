"""The operator's webhook: its key in the home, and how it is tried."""

import os
import secrets
import time

from rowgate.config import ConfigError, Settings
from rowgate.outgoing.client import OutgoingClient
from rowgate.ports import CallError
from rowgate.service.webhook import MAX_ANSWER_BYTES, Webhook
from rowgate.service.webhook_message import KEY_BYTES, parse_key, render_key, render_test, sign_message
from rowgate.wiring.opening import open_outgoing


def create_webhook_key(settings: Settings, *, replace: bool) -> str:
    """Make the signing key and keep it in the home; give it as the receiver is told it.

    Raises:
        ConfigError: There is one, and it is not to be replaced; or the home cannot be written.
    """
    path = settings.webhook_key_path
    text = render_key(secrets.token_bytes(KEY_BYTES))
    try:
        if path.exists() and not replace:
            raise ConfigError(f"{path} holds a key already; --replace makes another")
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    return text


def load_webhook(settings: Settings, http: OutgoingClient) -> Webhook | None:
    """Give the webhook of the settings; None when there is none.

    Raises:
        ConfigError: It must not be called, or there is no good key; the text says what to do.
    """
    if not settings.webhook_url:
        return None
    try:
        http.check_url(settings.webhook_url)
    except CallError as error:
        raise ConfigError(
            f"webhook_url cannot be called ({error.reason}): it is https, and its host stands in outgoing_hosts or "
            "outgoing_private_hosts"
        ) from error
    path = settings.webhook_key_path
    try:
        return Webhook(settings.webhook_url, parse_key(path.read_text("ascii")))
    except FileNotFoundError:
        raise ConfigError("webhook_url is set, but there is no key to sign with: `rowgate webhook key`") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} holds no key: {error}; `rowgate webhook key --replace` makes one") from error


def check_webhook(settings: Settings) -> None:
    """Refuse a webhook that could not be called.

    Raises:
        ConfigError: As `load_webhook`.
    """
    load_webhook(settings, open_outgoing(settings))


async def try_webhook(settings: Settings) -> int:
    """Send a test document once; give the status of the answer.

    Raises:
        ConfigError: There is no webhook, or it cannot be called as it is set.
        CallError: There is no answer.
    """
    http = open_outgoing(settings)
    try:
        webhook = load_webhook(settings, http)
        if webhook is None:
            raise ConfigError("there is no webhook_url in the settings")
        now = time.time()
        body = render_test(now)
        headers = sign_message(webhook.key, "msg_" + secrets.token_hex(16), now, body)
        answer = await http.post(webhook.url, headers=headers, body=body, max_bytes=MAX_ANSWER_BYTES)
        return answer.status
    finally:
        http.close()
