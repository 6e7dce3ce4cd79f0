"""What an administrator ends: it holds at a running server within one second, and ends nothing else."""

from protocol.case import BASIC, CC, CREDENTIALS, ROWS, numbered
from protocol.world import GRANTED, World, revoke
from rowgate.oauth.model import NEVER
from rowgate.service.admin.policies import TermsChange
from support.homes import administer
from support.servers import ask_until, within_a_second

_REFRESH = "grant_type=refresh_token&refresh_token="
_OTHER = "<other_id>:<other_secret>"


def _is_good(world: World, tokens: dict[str, str]) -> bool:
    return world.get_rows(tokens["access_token"]).status_code == 200


def _is_dead(world: World, tokens: dict[str, str]) -> bool:
    answer = world.get_rows(tokens["access_token"])
    return answer.status_code == 401 and 'error="invalid_token"' in answer.headers["www-authenticate"]


def _refresh_error(world: World, tokens: dict[str, str], basic: str = BASIC) -> str:
    return str(world.post_token(_REFRESH + tokens["refresh_token"], basic).json().get("error", ""))


@numbered("P97", "RFC 6750 §3.1")
def test_revoked_access_token_dies_alone(world: World) -> None:
    dying, sibling = world.get_tokens(), world.get_tokens()
    assert _is_good(world, dying)
    revoke(world.server.settings, dying["access_token"])
    within_a_second(lambda: _is_dead(world, dying))
    assert _is_good(world, sibling)
    assert _refresh_error(world, dying) == ""


@numbered("P74", "RFC 6749 §5.2")
def test_revoked_refresh_token_takes_its_family(world: World) -> None:
    family, sibling = world.get_tokens(), world.get_tokens()
    refreshed = world.get_tokens(_REFRESH + family["refresh_token"])
    revoke(world.server.settings, family["refresh_token"])
    within_a_second(lambda: _is_dead(world, family))
    assert _is_dead(world, refreshed)
    assert _refresh_error(world, family) == "invalid_grant"
    assert _is_good(world, sibling)


@numbered("P97", "RFC 6750 §3.1")
def test_revoking_an_applications_tokens_leaves_its_secret(world: World) -> None:
    tokens, others = world.get_tokens(), world.get_tokens(basic=_OTHER)
    with administer(world.server.settings) as desks:
        desks.applications.revoke_tokens(world.values["id"])
    within_a_second(lambda: _is_dead(world, tokens))
    assert _refresh_error(world, tokens) == "invalid_grant"
    assert _is_good(world, world.get_tokens())
    assert _is_good(world, others)


@numbered("P97", "RFC 6750 §3.1")
def test_compromised_secret_takes_what_it_got(world: World) -> None:
    with administer(world.server.settings) as desks:
        made = desks.applications.add_secret(world.values["id"], secret_name="lost", expires_at=NEVER)
    lost = f"<id>:{made.client_secret}"
    ask_until(lambda: world.post_token(basic=lost).status_code == 200)
    by_lost, by_first = world.get_tokens(basic=lost), world.get_tokens()
    with administer(world.server.settings) as desks:
        desks.applications.revoke_secret(world.values["id"], made.secret.key_id, kills_tokens=True)
    within_a_second(lambda: _is_dead(world, by_lost))
    assert _refresh_error(world, by_lost) == "invalid_grant"
    answer = world.post_token(basic=lost)
    assert (answer.status_code, world.find_event(answer)["reason"]) == (401, "revoked_secret")
    assert _is_good(world, by_first)


@numbered("P45", "ours")
def test_replaced_secret_leaves_what_it_got(world: World) -> None:
    with administer(world.server.settings) as desks:
        made = desks.applications.add_secret(world.values["id"], secret_name="replaced", expires_at=NEVER)
    replaced = f"<id>:{made.client_secret}"
    ask_until(lambda: world.post_token(basic=replaced).status_code == 200)
    tokens = world.get_tokens(basic=replaced)
    with administer(world.server.settings) as desks:
        desks.applications.revoke_secret(world.values["id"], made.secret.key_id, kills_tokens=False)
    within_a_second(lambda: world.post_token(basic=replaced).status_code == 401)
    assert _is_good(world, tokens)
    assert _refresh_error(world, tokens) == ""


@numbered("P46", "ours")
def test_disabled_application_is_out_with_its_tokens(world: World) -> None:
    tokens = world.get_tokens(basic=_OTHER)
    with administer(world.server.settings) as desks:
        desks.applications.set_enabled("other_", enabled=False)
    within_a_second(lambda: _is_dead(world, tokens))
    assert world.post_token(basic=_OTHER).json()["error"] == "invalid_client"
    assert _refresh_error(world, tokens, _OTHER) == "invalid_client"
    with administer(world.server.settings) as desks:
        desks.applications.set_enabled("other_", enabled=True)
    within_a_second(lambda: world.post_token(basic=_OTHER).status_code == 200)


@numbered("P46", "ours")
def test_removed_application_is_unknown(world: World) -> None:
    basic = "<plain_id>:<plain_secret>"
    tokens = world.get_tokens(basic=basic)
    with administer(world.server.settings) as desks:
        desks.applications.remove("plain_")
    within_a_second(lambda: _is_dead(world, tokens))
    answer = world.post_token(basic=basic)
    assert (answer.status_code, world.find_event(answer)["reason"]) == (401, "unknown_client")


@numbered("P103", "RFC 6750 §3.1")
def test_block_holds_for_tokens_already_issued(world: World) -> None:
    tokens = world.get_tokens()
    assert _is_good(world, tokens)
    with administer(world.server.settings) as desks:
        desks.objects.block(GRANTED, reason="tests")
    within_a_second(lambda: not _is_good(world, tokens))
    for path in (ROWS, "/api/v1/data/accounts/rows"):
        refused = world.get_rows(tokens["access_token"], path)
        assert refused.status_code == 401
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    with administer(world.server.settings) as desks:
        desks.objects.unblock(GRANTED)
    within_a_second(lambda: _is_good(world, tokens))


@numbered("P78", "ours")
def test_withdrawn_object_stays_away_after_a_refresh(world: World) -> None:
    tokens = world.get_tokens(basic=_OTHER)
    with administer(world.server.settings) as desks:
        desks.applications.ungrant("other_", [GRANTED])
    within_a_second(lambda: not _is_good(world, tokens))
    refreshed = world.get_tokens(_REFRESH + tokens["refresh_token"], _OTHER)
    assert world.find_event(world.get_rows(refreshed["access_token"]))["reason"] == "not_granted"
    with administer(world.server.settings) as desks:
        desks.grants.grant("other_", [GRANTED])
    within_a_second(lambda: _is_good(world, tokens))


@numbered("P78", "ours")
def test_withdrawn_scope_stays_away_after_a_refresh(world: World) -> None:
    tokens, running = world.get_tokens(), world.get_tokens(f"{CC}&scope=run")
    assert tokens["scope"] == "read run"
    _set_scope(world, "read")
    within_a_second(lambda: world.get_tokens(f"{CC}&{CREDENTIALS}", "")["scope"] == "read")
    assert world.get_tokens(_REFRESH + tokens["refresh_token"])["scope"] == "read"
    for form in (f"{_REFRESH}{tokens['refresh_token']}&scope=run", _REFRESH + running["refresh_token"]):
        assert world.post_token(form).json()["error"] == "invalid_scope"
    _set_scope(world, "run")
    within_a_second(lambda: not _is_good(world, tokens))
    assert world.find_event(world.get_rows(tokens["access_token"]))["reason"] == "scope_lacks_read"
    _set_scope(world, "read run")
    within_a_second(lambda: world.get_tokens()["scope"] == "read run")


def _set_scope(world: World, scope: str) -> None:
    with administer(world.server.settings) as desks:
        desks.policies.set("main", terms=TermsChange(scope=scope))
