"""What plans the requests of one reader for one object: every permission on columns and rows is in it."""

from rowgate.access import Access
from rowgate.oauth.authorization_details import find_allowed_columns
from rowgate.rows.errors import UnusablePolicy
from rowgate.rows.model import ObjectDescription, Plan, RowsRequest
from rowgate.rows.plan import Planner, plan_rows
from rowgate.rows.policy import RowsPolicy
from rowgate.service.object_access import refuse_policy
from rowgate.service.state import LiveState


def make_planner(access: Access, described: ObjectDescription, policy: RowsPolicy, state: LiveState) -> Planner:
    """Give the planner.

    Args:
        access: Who reads.
        described: What `ObjectAccess.decide` gave.
        policy: Of the grant.
        state: Where the object's settings are.
    """
    settings = state.find_settings(described.name)

    def plan_request(request: RowsRequest) -> Plan:
        try:
            return plan_rows(
                request,
                described,
                run_key=settings.run_key,
                key=settings.details.key,
                allowed_columns=find_allowed_columns(access.allowed, described.name),
                policy=policy,
            )
        except UnusablePolicy as error:
            raise refuse_policy() from error

    return plan_request
