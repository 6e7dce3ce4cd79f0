"""Without a trusted issuer there is no jwt-bearer grant, and the metadata does not name it."""

from protocol.case import TOKEN, numbered
from protocol.world import World

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@numbered("P55", "RFC 6749 §5.2")
def test_grant_is_not_supported(world: World) -> None:
    form = {"grant_type": GRANT, "assertion": "a.b.c"}
    answer = world.client.post(TOKEN, data=form, auth=(world.values["id"], world.values["secret"]))
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    document = world.client.get("/.well-known/oauth-authorization-server").json()
    assert GRANT not in document["grant_types_supported"]
