"""Which workloads of a platform an application is: what is kept of it in the application's policy. Data only."""

from dataclasses import dataclass

MAX_CLAIM_DEPTH = 8


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """A claim and the texts of which it must be one. A path of several names goes into objects.

    The names of a path are apart, not joined by dots: Kubernetes has a claim named `kubernetes.io`.

    Raises:
        ValueError: No name, too many, or no text: a rule that nothing meets is a mistake.
    """

    path: tuple[str, ...]
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.path) <= MAX_CLAIM_DEPTH or not self.values:
            raise ValueError("A rule for a claim needs a path of one to eight names and at least one value.")


@dataclass(frozen=True, slots=True)
class KeptWorkloadRule:
    """A rule as an application's policy keeps it: every claim must be met."""

    issuer_name: str
    claims: tuple[ClaimRule, ...]
