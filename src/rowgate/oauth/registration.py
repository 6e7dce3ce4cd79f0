"""Dynamic client registration: what becomes of a client, and what it is told (docs/choices.md).

Rule: an update never widens. What an administrator has narrowed since stays narrow, and a client with a key of its own
does not go back to a secret.
"""

from collections.abc import Sequence

import msgspec

from rowgate.oauth.client_metadata import CLIENT_CREDENTIALS, REFRESH_TOKEN, SECRET_METHODS, RequestedMetadata
from rowgate.oauth.errors import InvalidClientMetadata, InvalidScope
from rowgate.oauth.lineage import find_secret_end
from rowgate.oauth.model import NEVER, Application, ClientPolicy, Secret
from rowgate.oauth.scope import narrow_scope, render_scope


class ClientMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """A client as it is registered.

    Source: RFC 7591 §2, §3.2.1
    """

    client_id: str
    client_id_issued_at: int  # seconds since 1970
    grant_types: tuple[str, ...]
    response_types: list[str]  # always empty; left out it would mean "code"
    token_endpoint_auth_method: str
    scope: str
    client_name: str | None = None
    jwks: msgspec.Raw | None = None


class ClientInformation(ClientMetadata, frozen=True, kw_only=True, omit_defaults=True):
    """What a client is told of its registration; a secret stands in it once and is kept nowhere.

    Source: RFC 7591 §3.2.1, RFC 7592 §3
    """

    registration_client_uri: str
    registration_access_token: str
    client_secret: str | None = None
    client_secret_expires_at: int | None = None  # seconds since 1970; 0: never. There whenever it has a secret

    def __repr__(self) -> str:
        return f"<information of client {self.client_id}>"  # never the secret and the token


def decide_scope(requested: RequestedMetadata, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Give the scope to be registered: all that is allowed when nothing was asked.

    Raises:
        InvalidClientMetadata: Malformed, or not a part of what is allowed.

    Source: RFC 7591 §2 (scope)
    """
    try:
        return narrow_scope(requested.scope, allowed)
    except InvalidScope as error:
        raise InvalidClientMetadata("The scope is malformed or not allowed.", reason=error.reason) from None


def decide_policy(requested: RequestedMetadata, before: ClientPolicy) -> ClientPolicy:
    """Give the policy with how the client signs in from now on; everything else is left as it is."""
    return msgspec.structs.replace(
        before,
        authentication_methods=(requested.authentication_method,),
        jwks=requested.jwks,
        jwks_uri="" if requested.jwks else before.jwks_uri,
    )


def check_update(application: Application, requested: RequestedMetadata) -> tuple[str, ...]:
    """Give the scope to be registered by an update, which never widens what the application may do.

    Raises:
        InvalidClientMetadata: More scope than it has, refresh tokens that it does not get, a weaker or another way of
            signing in than it has.

    Source: RFC 7592 §2.2 (the server may refuse or replace values)
    """
    if requested.refresh_tokens and not application.refresh_tokens:
        raise InvalidClientMetadata("The grant types are more than the client has.", reason="wider_grant_types")
    methods = set(application.policy.authentication_methods)
    if requested.authentication_method not in methods and not methods <= SECRET_METHODS:
        raise InvalidClientMetadata("The client cannot change to that method.", reason="weaker_method")
    return decide_scope(requested, application.scope)


def decide_new_secret(
    application: Application, method: str, now: float, *, most_seconds: int = 0
) -> tuple[int, int] | None:
    """Give when a new secret ends and when its line began, in seconds since 1970, if an update is to give one.

    It does when the newest is past its end or in the last quarter of its life: the old one stays good until its own
    end. It does not when an administrator has revoked the newest, forbidden renewals or let the line grow no older:
    the registration access token is no way around that. `most_seconds` is the longest that any secret may live; 0: any.

    Source: RFC 7592 §2.2 (a new client_secret may be in the response), RFC 7591 §3.2.1
    """
    policy = application.policy
    if method not in SECRET_METHODS or not policy.renew_secrets:
        return None
    newest = max(application.secrets, key=lambda secret: secret.number, default=None)
    if newest is None:  # it had a key until now
        return find_secret_end(policy, int(now), now, most_seconds=most_seconds), int(now)
    began_at = newest.lineage_began_at or newest.created_at
    if newest.revoked or not newest.ends_soon(now):
        return None
    if policy.lineage_seconds and now >= began_at + policy.lineage_seconds:
        return None
    return find_secret_end(policy, began_at, now, most_seconds=most_seconds), began_at


def list_good_secrets(application: Application, now: float) -> Sequence[Secret]:
    """Give the secrets of an application that authenticate now."""
    return [secret for secret in application.secrets if not secret.revoked and not secret.is_expired(now)]


def describe_client(application: Application) -> ClientMetadata:
    """Give the metadata of a client as it is registered."""
    policy = application.policy
    kept = policy.registration
    methods = policy.authentication_methods
    return ClientMetadata(
        client_id=application.client_id,
        client_id_issued_at=application.created_at,
        grant_types=(CLIENT_CREDENTIALS, REFRESH_TOKEN) if application.refresh_tokens else (CLIENT_CREDENTIALS,),
        response_types=[],
        token_endpoint_auth_method=methods[0],
        scope=render_scope(application.scope),
        client_name=(kept.client_name if kept else "") or None,
        jwks=msgspec.Raw(policy.jwks.encode()) if policy.jwks else None,
    )


def inform_client(
    application: Application,
    *,
    registration_client_uri: str,
    registration_access_token: str,
    client_secret: str | None = None,
    now: float,
) -> ClientInformation:
    """Give what a client is told: its metadata, how it manages them, and a secret if it was just made."""
    metadata = describe_client(application)
    expires_at = None
    if metadata.token_endpoint_auth_method in SECRET_METHODS:
        ends = [secret.expires_at for secret in list_good_secrets(application, now)]
        if ends:
            expires_at = NEVER if NEVER in ends else max(ends)
    return ClientInformation(
        **msgspec.structs.asdict(metadata),
        registration_client_uri=registration_client_uri,
        registration_access_token=registration_access_token,
        client_secret=client_secret,
        client_secret_expires_at=expires_at,
    )


def name_application(client_name: str, client_id: str) -> str:
    """Give the name that administrators know an application by, when what the client calls itself is taken or empty.

    >>> name_application("", "k1x2"), name_application("report", "k1x2")
    ('registered-k1x2', 'report-k1x2')
    """
    return f"{client_name or 'registered'}-{client_id}"
