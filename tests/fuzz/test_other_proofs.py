"""The further ways to prove who one is: jobs' tokens, certificates behind a proxy, signed tokens, keys of one's own."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from fuzz.strategies import edited, header_values, nearly, tokens
from fuzz.test_requests import WAIT_SECONDS, fuzzed
from fuzz.wire import FORM, VIEW, Headers, World
from rowgate.oauth.client_certificate import CertificateHeaderFormat, parse_certificate_header
from rowgate.oauth.errors import InvalidClient
from rowgate.oauth.idempotency import parse_idempotency_key
from rowgate.oauth.workload_rules import ClaimRule
from rowgate.service.admin.policies import PolicyChange
from support.certificates import make_own_certificate, read_certificate_alone
from support.client_keys import ASSERTION_TYPE, ClientKey
from support.homes import add_application, add_without_secret, administer, make_home
from support.servers import ask_until, run_server

HEADER = b"x-client-cert"
ISSUER, AUDIENCE = "https://jobs.example", "https://rowgate.example"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FORM: Headers = [(b"content-type", FORM)]
_ROWS = f"/api/v1/data/{VIEW}/rows?limit=1".encode()


class Proofs(World):
    """A world whose applications have no secret but one: a job's token, a certificate, or a key and signed tokens."""

    job_id: str = ""
    certified_id: str = ""
    certificate: bytes = b""  # DER

    def claim_job(self) -> dict[str, object]:
        now = int(self.server.clock())
        claims = {"iss": ISSUER, "sub": "job", "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300}
        return {**claims, "jti": "1", "repository": "acme/tool", "kubernetes.io": {"namespace": "data"}}

    def show(self, value: bytes) -> int:
        """Sign in with what a proxy forwards; give the status."""
        form = urlencode({"grant_type": "client_credentials", "client_id": self.certified_id}).encode()
        return self.send(b"POST", b"/token", [*_FORM, (HEADER, value)], form).status


@pytest.fixture(scope="module")
def proofs(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proofs]:
    folder, key = tmp_path_factory.mktemp("proofs"), ClientKey("ES256")
    (folder / "jobs.json").write_text(key.jwks, "utf-8")
    issuer = {"name": "jobs", "issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(folder / "jobs.json")}
    home = make_home(
        folder / "home",
        sample_database,
        trusted_issuers=[issuer],
        client_certificate_header="X-Client-Cert",
        trusted_proxies=("127.0.0.1",),
        client_registration=True,
    )
    pem = make_own_certificate(folder, "fuzzed")
    made = add_application(home, "fuzzed")
    signing = add_without_secret(
        home,
        "signs",
        authentication_methods=("private_key_jwt",),
        jwks=key.jwks,
        access_token_format="jwt",
        access_token_algorithm="ES256",
    )
    certified = add_without_secret(
        home,
        "certified",
        authentication_methods=("self_signed_tls_client_auth",),
        tls_certificates=read_certificate_alone(pem),
    )
    with administer(home) as desks:
        job, _ = desks.applications.add_with_key(
            "job",
            ("*",),
            scope="read",
            refresh_tokens=False,
            access_lifetime_seconds=None,
            refresh_lifetime_seconds=None,
            policy=PolicyChange(),
            for_jobs=True,
        )
        rule = [ClaimRule(("repository",), ("acme/tool",)), ClaimRule(("kubernetes.io", "namespace"), ("data",))]
        desks.workloads.add("job", "jobs", rule)
    with run_server(home) as server:
        world = Proofs(server, made.application.client_id, made.client_secret, signing, key)
        world.job_id, world.certified_id = job.client_id, certified
        world.certificate = x509.load_pem_x509_certificate(pem.read_bytes()).public_bytes(Encoding.DER)
        world.wait()
        yield world
        world.close()


def _go_on(world: World) -> None:
    world.server.clock.advance(WAIT_SECONDS)


@fuzzed
@given(data=st.data())
def test_tokens_of_jobs(proofs: Proofs, data: st.DataObject) -> None:
    """As the grant and as the client's assertion; truly signed, over whatever it says."""
    _go_on(proofs)
    header = {"alg": "ES256", "kid": proofs.key.key_id, "typ": "JWT"}
    token = data.draw(tokens(proofs.key, header, proofs.claim_job()))
    proofs.post_form("/token", {"grant_type": GRANT, "assertion": token})
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    name = data.draw(st.sampled_from([{}, {"client_id": proofs.job_id}, {"client_id": proofs.client_id}]))
    proofs.post_form("/token", {**form, **name, "client_assertion": token})


@fuzzed
@given(data=st.data())
def test_signed_access_tokens(proofs: Proofs, data: st.DataObject) -> None:
    """One of ours with an edit, and one that is truly signed by a key that is none of ours."""
    _go_on(proofs)
    form = {"grant_type": "client_credentials", **proofs.assert_client()}
    ours = proofs.post_form("/token", form).members["access_token"]
    now = int(proofs.server.clock())
    header = {"alg": "ES256", "typ": "at+jwt", "kid": ours}
    claims = {"iss": proofs.server.url, "aud": proofs.server.url, "sub": "a", "client_id": "a", "scope": "read"}
    others = tokens(proofs.key, header, {**claims, "iat": now, "exp": now + 60, "jti": "00" * 16})
    token = data.draw(header_values(st.one_of(edited(ours), others).map(lambda text: f"Bearer {text}")))
    answer = proofs.send(b"GET", _ROWS, [(b"authorization", token)])
    assert answer.status in (400, 401) or token == f"Bearer {ours}".encode()
    proofs.post_form("/introspect", {"token": token.decode("latin-1")[7:], **proofs.credentials})


@st.composite
def certificates(draw: st.DrawFn, der: bytes) -> bytes:
    """Give a certificate, with bytes of it changed, cut out or put in."""
    place = draw(st.integers(0, len(der)))
    gone = draw(st.sampled_from([0, 0, 1, 1, 2, len(der)]))
    return der[:place] + draw(st.binary(max_size=4)) + der[place + gone :]


def _write(der: bytes, form: CertificateHeaderFormat) -> bytes:
    encoded = base64.b64encode(der)
    if form == "client_cert":
        return b":%b:" % encoded
    pem = b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % encoded
    return quote(pem, safe="").encode() if form == "url_encoded_pem" else encoded


@fuzzed
@given(data=st.data())
def test_certificates_behind_a_proxy(proofs: Proofs, data: st.DataObject) -> None:
    _go_on(proofs)
    der = data.draw(certificates(proofs.certificate))
    value = data.draw(
        st.one_of(st.just(_write(der, "url_encoded_pem")), header_values(nearly("", "%00", ":AAAA:", "%")))
    )
    is_good = value == _write(proofs.certificate, "url_encoded_pem")
    assert proofs.show(value) in ((200,) if is_good else (400, 401))  # 400: no header may be written so


@fuzzed
@given(data=st.data(), form=st.sampled_from(["url_encoded_pem", "client_cert", "base64_der"]))
def test_headers_with_certificates(proofs: Proofs, data: st.DataObject, form: CertificateHeaderFormat) -> None:
    """In every form that a proxy may write: a certificate, or no client."""
    written = data.draw(certificates(proofs.certificate).map(lambda der: _write(der, form)))
    value = data.draw(st.one_of(st.just(written), certificates(written), st.binary(max_size=60)))
    with suppress(InvalidClient):
        assert parse_certificate_header([value], form, has_valid_chain=False).thumbprint


@fuzzed
@given(data=st.data())
def test_keys_of_requests_that_are_repeated(proofs: Proofs, data: st.DataObject) -> None:
    """Beside a code and a token that are made up: never a fault, and never let pass for the key's sake."""
    _go_on(proofs)
    key = data.draw(header_values(nearly("a" * 32, '"' + "A-_9" * 10 + '"', '""')))
    headers: Headers = [(b"content-type", b"application/json"), (b"idempotency-key", key)]
    headers += [headers[-1]] * data.draw(st.sampled_from([0, 0, 1]))
    assert proofs.send(b"POST", b"/api/v1/enrol", headers, b'{"code": "rgen_made-up"}').status in (400, 429)
    bearer = (b"authorization", b"Bearer rgit_k1x2y3z4_" + b"A" * 43)
    assert proofs.send(b"POST", b"/register", [*headers, bearer], b"{}").status in (400, 401, 429)


def test_what_is_edited_was_good(proofs: Proofs) -> None:
    """Otherwise the tests above would go no further than a first check."""
    _go_on(proofs)
    header = {"alg": "ES256", "kid": proofs.key.key_id, "typ": "JWT"}
    token = proofs.key.sign(proofs.claim_job(), **header)
    ask_until(lambda: proofs.post_form("/token", {"grant_type": GRANT, "assertion": token}).status == 200)
    assert proofs.show(_write(proofs.certificate, "url_encoded_pem")) == 200
    ours = proofs.post_form("/token", {"grant_type": "client_credentials", **proofs.assert_client()}).members
    bearer = f"Bearer {ours['access_token']}".encode()
    assert proofs.send(b"GET", _ROWS, [(b"authorization", bearer)]).status == 200
    assert parse_idempotency_key([b'"' + b"A-_9" * 10 + b'"'])
