"""Which jobs of a platform are an application: rules that an administrator adds and removes."""

from collections.abc import Collection, Sequence

import msgspec

from rowgate.oauth.model import Application
from rowgate.oauth.workload_rules import ClaimRule, KeptWorkloadRule
from rowgate.service.admin.desk import AdminError, Desk, load_application

MAX_RULES = 32  # of one application


class WorkloadDesk:
    """Changes the rules of an application; running servers follow within a second."""

    def __init__(self, desk: Desk, issuer_names: Collection[str]) -> None:
        """Take the administrator's tools, and the names of the trusted issuers of the settings."""
        self._desk = desk
        self._issuer_names = issuer_names

    def add(self, name: str, issuer_name: str, claims: Sequence[ClaimRule]) -> Application:
        """Let the jobs of an issuer that meet every claim be the application; what is so already is no change.

        Raises:
            AdminError: There is no such application or issuer, no claim, one claim twice, or too many rules.
        """
        if issuer_name not in self._issuer_names:
            known = ", ".join(sorted(self._issuer_names)) or "none"
            raise AdminError(f"rowgate.toml has no trusted issuer of that name; it has: {known}")
        if not claims:
            raise AdminError("say which claims: without one, everybody who runs a job there would be the application")
        if len({claim.path for claim in claims}) != len(claims):
            raise AdminError("a claim stands there twice")
        rule = KeptWorkloadRule(issuer_name, tuple(claims))
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            rules = application.policy.workloads
            if rule in rules:
                return application
            if len(rules) >= MAX_RULES:
                raise AdminError(f"an application has at most {MAX_RULES} rules")
            change.set_policy(application.number, msgspec.structs.replace(application.policy, workloads=(*rules, rule)))
            self._desk.tell("workload.add", application.name, **describe_rule(rule))
            return load_application(change, name)[0]

    def remove(self, name: str, number: int) -> Application:
        """Take a rule away, by its place in the list, which begins with 1.

        Raises:
            AdminError: There is no such application or rule.
        """
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            rules = application.policy.workloads
            if not 0 < number <= len(rules):
                raise AdminError(f"{application.name} has no rule {number}: see `rowgate app workload list`")
            left = (*rules[: number - 1], *rules[number:])
            change.set_policy(application.number, msgspec.structs.replace(application.policy, workloads=left))
            self._desk.tell("workload.remove", application.name, **describe_rule(rules[number - 1]))
            return load_application(change, name)[0]


def describe_rule(rule: KeptWorkloadRule) -> dict[str, object]:
    """Give a rule for scripts and for the record."""
    return {
        "issuer": rule.issuer_name,
        "claims": [{"path": list(claim.path), "values": list(claim.values)} for claim in rule.claims],
    }
