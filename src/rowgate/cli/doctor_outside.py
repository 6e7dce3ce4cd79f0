"""`rowgate doctor` on what is between the home and others: certificates, platforms, the webhook, addresses of keys.

Nothing is called: what may be is decided by the settings alone.
"""

import time
from collections.abc import Callable, Iterator

from rowgate.cli.findings import Finding
from rowgate.cli.terminal import render_left, render_moment
from rowgate.config import ConfigError, Settings

_SOON_SECONDS = 30 * 86_400


def examine_outside(settings: Settings) -> Iterator[Finding]:
    """Give a finding for each of them that is set."""
    yield from _webhook(settings)
    yield from _platforms(settings)
    yield from _certificate(settings)
    yield from _client_authorities(settings)
    yield from _key_addresses(settings)


def _webhook(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415

    if not settings.webhook_url:
        return
    question = "the webhook may be called, and there is a key to sign with"
    yield _judge(question, lambda: wiring.check_webhook(settings), settings.webhook_url)


def _platforms(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415

    if not settings.trusted_issuers:
        return
    question = "the keys of trusted issuers can be read, or may be asked for"
    names = ", ".join(issuer.name for issuer in settings.trusted_issuers)
    yield _judge(question, lambda: wiring.check_trusted_issuers(settings), names)


def _certificate(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415

    question = "the server's certificate and key can be used"
    try:
        end = wiring.read_server_certificate_end(settings)
    except ConfigError as error:
        yield Finding(question, False, str(error))  # noqa: FBT003
        return
    if end is not None:
        now = time.time()
        told = f"ended {render_moment(end)}" if end <= now else f"ends {render_left(end, now)}"
        yield Finding(question, end > now, told, f"put a new one into {settings.tls_cert}, and start the server again")


def _client_authorities(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415

    if not settings.tls_client_ca:
        return
    question = "the authorities of clients' certificates can be read, and are in force"
    try:
        ends = wiring.read_authority_ends(settings)
    except ConfigError as error:
        yield Finding(question, False, str(error))  # noqa: FBT003
        return
    now = time.time()
    ended = [f"{name} ended {render_moment(end)}" for name, end in ends if end <= now]
    soon = [f"{name} ends {render_left(end, now)}" for name, end in ends if now < end <= now + _SOON_SECONDS]
    from rowgate.service.admin.grant_words import tell_count  # noqa: PLC0415 - as above

    told = ", ".join([*ended, *soon]) or tell_count(len(ends), "certificate")
    yield Finding(question, not ended, told, f"put the authority's new certificate into {settings.tls_client_ca}")


def _key_addresses(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415
    from rowgate.ports import StoreError  # noqa: PLC0415

    question = "the addresses of applications' keys may be called"
    try:
        store = wiring.open_reader(settings)
        try:
            applications = [grants.application for grants in store.load_state().grants]
        finally:
            store.close()
    except (StoreError, ConfigError):
        return  # that the state cannot be read is a finding of its own
    named = {app.name: app.policy.jwks_uri for app in applications if app.enabled and app.policy.jwks_uri}
    if not named:
        return
    try:
        refused = {name: reason for name, url in named.items() if (reason := wiring.find_call_problem(settings, url))}
    except ConfigError as error:
        yield Finding(question, False, str(error))  # noqa: FBT003
        return
    from rowgate.service.admin.grant_words import tell_count  # noqa: PLC0415

    told = ", ".join(f"{name} ({reason})" for name, reason in refused.items())
    advice = "list the host in outgoing_hosts, or in outgoing_private_hosts when it is one of the house's own"
    yield Finding(question, not refused, told or tell_count(len(named), "application"), advice)


def _judge(question: str, check: Callable[[], object], told: str) -> Finding:
    """Give what is told when the check passes, or why it did not."""
    try:
        check()
    except ConfigError as error:
        return Finding(question, good=False, found=str(error))
    return Finding(question, good=True, found=told)
