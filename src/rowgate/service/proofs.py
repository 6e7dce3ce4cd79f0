"""Checks DPoP proofs: what the pure check cannot know, the nonce of the day and whether a proof came before."""

from collections.abc import Sequence

from rowgate.oauth.dpop import DpopPolicy, DpopProof, verify_dpop_proof
from rowgate.oauth.dpop_nonce import make_nonce
from rowgate.oauth.errors import InvalidDpopProof, InvalidDpopProofAtResource, UseDpopNonce
from rowgate.ports import Clock, Entropy

MAX_KEPT = 100_000  # proofs of one worker within their short life; more in that time are refused
_NONCE_RANDOM_BYTES = 8


class ProofChecker:
    """Verifies proofs and remembers them until they are too old to count (RFC 9449 §11.1).

    The memory is this worker's. At the token endpoint the state remembers for all of them; at the resource a proof
    counts for its method, its URL and one access token alone, and with nonces for a few minutes at most.
    """

    def __init__(self, policy: DpopPolicy, *, clock: Clock, entropy: Entropy, max_kept: int = MAX_KEPT) -> None:
        """Take what is accepted; the first of the policy's nonce keys makes the nonces."""
        self.policy = policy
        self._clock = clock
        self._entropy = entropy
        self._max_kept = max_kept
        self._seen: dict[bytes, float] = {}
        self._sweep_at = 0.0

    def make_nonce(self) -> str:
        """Give a nonce for the DPoP-Nonce header."""
        return make_nonce(self.policy.nonce_keys[0], self._clock(), self._entropy(_NONCE_RANDOM_BYTES))

    def verify(self, headers: Sequence[bytes], *, method: str, url: str, access_token: str | None = None) -> DpopProof:
        """Give what the DPoP header of a request proves, the first time that it comes.

        Args:
            headers: The values of every DPoP header.
            method: The request's.
            url: As clients spell it, without its query.
            access_token: What came with the proof at the resource; None at the token endpoint.

        Raises:
            InvalidDpopProof: It does not hold, or it came before.
            UseDpopNonce: It lacks a good nonce; the refusal carries one.
        """
        now = self._clock()
        invalid = InvalidDpopProof if access_token is None else InvalidDpopProofAtResource
        if not headers:
            raise invalid("The request carries no DPoP proof.", reason="no_proof")
        try:
            proof = verify_dpop_proof(
                headers, method=method, url=url, now=now, policy=self.policy, access_token=access_token
            )
        except UseDpopNonce as refusal:
            refusal.fresh_nonce = self.make_nonce()
            raise
        self._forget_old(now)
        if proof.replay_handle in self._seen:
            raise invalid("The DPoP proof was used before.", reason="proof_replayed")
        if len(self._seen) >= self._max_kept:
            raise invalid("The DPoP proof cannot be taken now.", reason="too_many_proofs")
        self._seen[proof.replay_handle] = proof.forget_at
        return proof

    def _forget_old(self, now: float) -> None:
        if self._sweep_at <= now < self._sweep_at + 1 and len(self._seen) < self._max_kept:
            return  # once a second is enough
        self._sweep_at = now
        self._seen = {handle: forget_at for handle, forget_at in self._seen.items() if forget_at > now}
