"""What a worker remembers of DPoP proofs: enough to refuse a replay, nothing that one client could fill for others."""

import pytest

from rowgate.oauth.dpop import DpopPolicy
from rowgate.oauth.errors import InvalidDpopProofAtResource, InvalidToken
from rowgate.service.proofs import ProofChecker
from support.client_keys import ClientKey
from support.clock import MovableClock

URL, TOKEN = "https://data.example/api/v1/data/users/rows", "token"
MOST = 3


class Resource:
    """Requests with proofs, against a checker with a small memory."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.clock.freeze()
        self.checker = ProofChecker(
            DpopPolicy(), clock=self.clock, entropy=lambda count: b"r" * count, max_kept_of_key=MOST
        )

    def send(self, key: ClientKey, proof: str | None = None, *, bound: ClientKey | None = None) -> str:
        proof = proof or key.prove("GET", URL, self.clock(), access_token=TOKEN)
        jkt = (bound or key).thumbprint
        self.checker.require_at_resource([proof.encode()], jkt, method="GET", url=URL, access_token=TOKEN)
        return proof


def refused(resource: Resource, key: ClientKey, proof: str | None = None) -> str:
    with pytest.raises(InvalidDpopProofAtResource) as refusal:
        resource.send(key, proof)
    return refusal.value.reason


def test_a_proof_counts_once_until_it_is_too_old() -> None:
    resource, key = Resource(), ClientKey()
    proof = resource.send(key)
    assert refused(resource, key, proof) == "proof_replayed"
    resource.clock.advance(3600)
    assert refused(resource, key, proof) != "proof_replayed"
    resource.send(key)


def test_a_key_that_proves_too_often_waits_and_no_other_does() -> None:
    resource, busy, other = Resource(), ClientKey(), ClientKey()
    for _ in range(MOST):
        resource.send(busy)
    assert refused(resource, busy) == "too_many_proofs"
    resource.send(other)
    resource.clock.advance(3600)
    resource.send(busy)


def test_a_proof_by_another_key_than_the_tokens_is_not_remembered() -> None:
    resource, key, stranger = Resource(), ClientKey(), ClientKey()
    for _ in range(MOST + 1):
        with pytest.raises(InvalidToken):
            resource.send(stranger, bound=key)
    resource.send(stranger)
