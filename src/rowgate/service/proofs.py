"""Checks DPoP proofs: what the pure check cannot know, the nonce of the day and whether a proof came before."""

from collections.abc import Sequence

from rowgate.oauth.dpop import DpopPolicy, DpopProof, check_bound_key, verify_dpop_proof
from rowgate.oauth.dpop_nonce import make_nonce
from rowgate.oauth.errors import InvalidDpopProofAtResource, UseDpopNonce
from rowgate.ports import Clock, Entropy

MAX_KEPT_OF_KEY = 10_000  # proofs of one key within their short life; more in that time are refused
_NONCE_RANDOM_BYTES = 8


class ProofChecker:
    """Verifies proofs; those that come with an access token it remembers until they are too old to count.

    The memory is this worker's, and holds proofs of keys that a token is bound to, so many of each: nobody can fill it
    for others. Proofs at the token endpoint are not remembered here but in the state, for every worker.

    Source: RFC 9449 §11.1
    """

    def __init__(
        self, policy: DpopPolicy, *, clock: Clock, entropy: Entropy, max_kept_of_key: int = MAX_KEPT_OF_KEY
    ) -> None:
        """Take what is accepted; the first of the policy's nonce keys makes the nonces."""
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._max_kept_of_key = max_kept_of_key
        self._seen: dict[str, dict[bytes, float]] = {}  # by key: the proofs' handles, and when they are too old
        self._sweep_at = 0.0

    def verify_at_token_endpoint(self, headers: Sequence[bytes], *, url: str) -> DpopProof:
        """Give what the DPoP header of a token request proves; whether it came before, the state must say.

        Raises:
            InvalidDpopProof: It does not hold.
            UseDpopNonce: It lacks a good nonce; the refusal carries one.
        """
        return self._verify(headers, method="POST", url=url, access_token=None)

    def renew_nonce(self, proof: DpopProof) -> str:
        """Give the nonce that the answer is to bring, or an empty text while the one that came is young enough.

        Source: RFC 9449 §8.2
        """
        return self._make_nonce(self._clock()) if proof.renew_nonce else ""

    def require_at_resource(
        self, headers: Sequence[bytes], bound_jkt: str, *, method: str, url: str, access_token: str
    ) -> DpopProof:
        """Let a request pass that came by the scheme DPoP, the first time that its proof comes; give that proof.

        Args:
            headers: The values of every DPoP header.
            bound_jkt: The key that the token is bound to; empty: none, and such a token does not come as DPoP.
            method: The request's.
            url: As clients spell it, without its query.
            access_token: What came with the proof.

        Raises:
            InvalidDpopProofAtResource: There is none, it does not hold, or it came before.
            UseDpopNonceAtResource: It lacks a good nonce; the refusal carries one.
            InvalidToken: The proof is by another key than the token's.
        """
        if not headers:
            raise InvalidDpopProofAtResource("The request carries no DPoP proof.", reason="no_proof")
        proof = self._verify(headers, method=method, url=url, access_token=access_token)
        check_bound_key(bound_jkt, proof)
        now = self._clock()
        self._forget_old(now)
        seen = self._seen.setdefault(proof.jkt, {})
        if proof.replay_handle in seen:
            raise InvalidDpopProofAtResource("The DPoP proof was used before.", reason="proof_replayed")
        if len(seen) >= self._max_kept_of_key:
            raise InvalidDpopProofAtResource("Too many proofs of this key at once.", reason="too_many_proofs")
        seen[proof.replay_handle] = proof.forget_at
        return proof

    def _verify(self, headers: Sequence[bytes], *, method: str, url: str, access_token: str | None) -> DpopProof:
        now = self._clock()
        try:
            return verify_dpop_proof(
                headers, method=method, url=url, now=now, policy=self._policy, access_token=access_token
            )
        except UseDpopNonce as refusal:
            refusal.fresh_nonce = self._make_nonce(now)
            raise

    def _make_nonce(self, now: float) -> str:
        return make_nonce(self._policy.nonce_keys[0], now, self._entropy(_NONCE_RANDOM_BYTES))

    def _forget_old(self, now: float) -> None:
        if self._sweep_at <= now < self._sweep_at + 1:
            return  # once a second is enough
        self._sweep_at = now
        for jkt, seen in list(self._seen.items()):
            kept = {handle: forget_at for handle, forget_at in seen.items() if forget_at > now}
            if kept:
                self._seen[jkt] = kept
            else:
                del self._seen[jkt]
