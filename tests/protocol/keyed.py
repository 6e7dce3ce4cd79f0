"""Applications that sign: registered in a running world, with what they send."""

import itertools
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from protocol.case import FORM, ROWS, TOKEN
from protocol.world import GRANTED, World
from rowgate.service.admin.policies import PolicyChange, TermsChange
from support.client_keys import ClientKey
from support.homes import add_application, administer
from support.servers import within_a_second

_NUMBERS = itertools.count()
CLIENT_CREDENTIALS = {"grant_type": "client_credentials"}


@dataclass
class Keyed:
    """An application of a world that has a secret, a key that it proves itself with, or both."""

    world: World
    name: str
    client_id: str
    client_secret: str = ""
    key: ClientKey = field(default_factory=ClientKey)

    @property
    def now(self) -> float:
        """The server's time."""
        return self.world.server.clock()

    @property
    def issuer(self) -> str:
        """Who an assertion is for."""
        return self.world.server.url

    @property
    def token_url(self) -> str:
        """What a proof for tokens names."""
        return self.issuer + TOKEN

    @property
    def rows_url(self) -> str:
        """What a proof for rows names."""
        return self.issuer + ROWS

    def authenticate(self, **changed: Any) -> dict[str, str]:
        """Give the form members that prove who it is: by its secret where it has one."""
        if self.client_secret:
            return {"client_id": self.client_id, "client_secret": self.client_secret}
        return self.key.assert_client(self.client_id, self.issuer, self.now, **changed)

    def post(self, form: dict[str, str], *proofs: str, **headers: str) -> httpx.Response:
        """Send a form to the token endpoint, with a DPoP header for every proof."""
        sent = [("Content-Type", FORM), *headers.items(), *(("DPoP", proof) for proof in proofs)]
        answer = self.world.client.post(TOKEN, content=urlencode(form), headers=sent)
        self.world.answers.append(answer)
        return answer

    def ask(self, *proofs: str, **changed: Any) -> httpx.Response:
        """Ask for a token in the ordinary way; `changed` changes the assertion."""
        return self.post({**CLIENT_CREDENTIALS, **self.authenticate(**changed)}, *proofs)

    def refresh(self, refresh_token: str, *proofs: str) -> httpx.Response:
        """Ask for another token with a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.post({**form, **self.authenticate()}, *proofs)

    def prove(self, *, access_token: str = "", key: ClientKey | None = None, **changed: Any) -> str:
        """Give a proof for tokens, or for rows with an access token."""
        method, url = ("GET", self.rows_url) if access_token else ("POST", self.token_url)
        return (key or self.key).prove(method, url, self.now, access_token=access_token, **changed)

    def read(self, access_token: str, *proofs: str, scheme: str = "DPoP") -> httpx.Response:
        """Ask for rows."""
        headers = [("Authorization", f"{scheme} {access_token}"), *(("DPoP", proof) for proof in proofs)]
        return self.world.client.get(ROWS, headers=headers)

    def reason(self, answer: httpx.Response) -> str:
        """Give why it was refused, from the record."""
        return str(self.world.find_event(answer)["reason"])

    def set(self, policy: PolicyChange, terms: TermsChange | None = None) -> None:
        """Have an administrator change it; the running server follows within a second (`within_a_second`)."""
        with administer(self.world.server.settings) as desks:
            desks.policies.set(self.name, policy, terms or TermsChange())


def register(world: World, name: str, policy: PolicyChange | None = None) -> Keyed:
    """Register an application with a secret; wait until the server knows it.

    Its name is made unique: of a fixture with parameters pytest may make one more than once in the same world.
    """
    name = f"{name}-{next(_NUMBERS)}"
    made = add_application(world.server.settings, name, (GRANTED,), policy=policy or PolicyChange())
    keyed = Keyed(world, name, made.application.client_id, made.client_secret)
    is_bound = bool(policy and policy.dpop_bound_tokens)
    within_a_second(lambda: keyed.ask(*([keyed.prove()] if is_bound else [])).status_code == 200)
    return keyed


def register_with_key(world: World, name: str, key: ClientKey | None = None) -> Keyed:
    """Register an application with a key and no secret; wait until the server knows it."""
    key = key or ClientKey()
    policy = PolicyChange(authentication_methods=("private_key_jwt",), jwks=key.jwks)
    with administer(world.server.settings) as desks:
        application, _ = desks.applications.add_with_key(
            name,
            (GRANTED,),
            scope="read",
            refresh_tokens=True,
            access_lifetime_seconds=3600,
            refresh_lifetime_seconds=604_800,
            policy=policy,
        )
    keyed = Keyed(world, name, application.client_id, key=key)
    within_a_second(lambda: keyed.ask().status_code == 200)
    return keyed
