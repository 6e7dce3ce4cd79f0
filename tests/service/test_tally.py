"""What a worker counts: each event once, under words of which there are few, and what did not happen as refused."""

from typing import Any

from rowgate.audit.events import Event, RowsEnded, RowsOpened, RowsRefused, TokenIssued, TokenRefused
from rowgate.service.tally import (
    BYTES,
    ERRORS,
    FAILED_FLUSHES,
    FLUSH_SECONDS,
    MEASURES,
    READ_SECONDS,
    READS,
    REFUSED,
    ROWS,
    SHORT,
    SUM,
    TOKEN_SECONDS,
    TOKENS_ISSUED,
    Tally,
)
from support.clock import MovableClock

NOW = 1_700_000_000.0
WHO: dict[str, Any] = {"client_id": "client", "application": "application", "token_id": "t"}


def issue(at: float = NOW, grant_type: str = "client_credentials") -> TokenIssued:
    return TokenIssued(at=at, key_id="k", grant_type=grant_type, scope="read", family="", expires_at=1, **WHO)


def end(outcome: str = "complete", reason: str = "", form: str = "json", seconds: float = 0.02) -> RowsEnded:
    return RowsEnded(
        at=NOW, object="o", rows=7, bytes=70, seconds=seconds, outcome=outcome, reason=reason, format=form, **WHO
    )


def make_tally() -> Tally:
    clock = MovableClock()
    clock.freeze(NOW + 0.003)
    return Tally(clock)


def test_tokens_are_counted_by_grant_type_and_by_how_long_they_took() -> None:
    tally = make_tally()
    tally.count([issue(), issue(NOW - 0.1), issue(grant_type="refresh_token")], is_durable=True)
    told = tally.read()
    assert told[TOKENS_ISSUED.name, "client_credentials"] == 2
    assert told[TOKENS_ISSUED.name, "refresh_token"] == 1
    assert told[TOKEN_SECONDS.name, "0.005"] == 2
    assert told[TOKEN_SECONDS.name, "0.25"] == 1
    assert abs(told[TOKEN_SECONDS.name, SUM] - 0.109) < 1e-6
    assert sum(told[TOKEN_SECONDS.name, end] for end in (*map(str, SHORT), "+Inf")) == 3


def test_answers_with_an_error_are_counted_by_status_and_code() -> None:
    tally = make_tally()
    for status, code in ((404, "not_found"), (404, "unknown_object"), (404, "not_found")):
        tally.count_error(status, code)
    told = tally.read()
    assert (told[ERRORS.name, "404", "not_found"], told[ERRORS.name, "404", "unknown_object"]) == (2, 1)
    tally.go_on_from({(ERRORS.name, "404", "not_found"): 5})
    assert tally.read()[ERRORS.name, "404", "not_found"] == 7


def test_refusals_are_counted_by_endpoint_and_error() -> None:
    tally = make_tally()
    of_token = TokenRefused(at=NOW, error="invalid_client", reason="unknown_client", client_id="whatever they typed")
    of_others = TokenRefused(at=NOW, error="invalid_client", reason="unknown_client", endpoint="introspect")
    of_rows = RowsRefused(at=NOW, error="invalid_parameter", reason="whatever they typed", object="no such thing")
    tally.count([of_token, of_token, of_others, of_rows], is_durable=True)
    told = tally.read()
    assert {words[1:]: number for words, number in told.items() if words[0] == REFUSED.name} == {
        ("token", "invalid_client"): 2,
        ("introspect", "invalid_client"): 1,
        ("data", "invalid_parameter"): 1,
    }
    assert sum(told[TOKEN_SECONDS.name, end] for end in (*map(str, SHORT), "+Inf")) == 2
    assert not any("whatever" in word for words in told for word in words)


def test_reads_are_counted_by_how_they_ended() -> None:
    tally = make_tally()
    tally.count([end(), end(), end("cut", "client_went_away", "csv", seconds=70)], is_durable=True)
    told = tally.read()
    assert told[READS.name, "complete", "", "json"] == 2
    assert told[READS.name, "cut", "client_went_away", "csv"] == 1
    assert (told[ROWS.name, "json"], told[BYTES.name, "csv"]) == (14, 70)
    assert told[READ_SECONDS.name, "complete", "0.025"] == 2
    assert told[READ_SECONDS.name, "cut", "300.0"] == 1


def test_what_is_not_on_record_was_refused_but_an_end_is_an_end() -> None:
    tally = make_tally()
    opened = RowsOpened(at=NOW, object="o", **WHO)
    lost: list[Event] = [issue(), opened, TokenRefused(at=NOW, error="invalid_client", reason="unknown_client"), end()]
    tally.count(lost, is_durable=False)
    tally.count_flush(0.2, is_durable=False)
    told = tally.read()
    assert told[REFUSED.name, "token", "temporarily_unavailable"] == 2
    assert told[REFUSED.name, "data", "temporarily_unavailable"] == 1
    assert told[READS.name, "complete", "", "json"] == 1
    assert told[(FAILED_FLUSHES.name,)] == told[FLUSH_SECONDS.name, "0.25"] == 1
    assert not any(words[0] == TOKENS_ISSUED.name for words in told)


def test_one_that_takes_a_place_goes_on_from_what_was_counted_in_it() -> None:
    tally = make_tally()
    tally.count([issue(), end()], is_durable=True)
    successor = make_tally()
    successor.go_on_from(tally.read())
    successor.count([issue()], is_durable=True)
    told = successor.read()
    assert told[TOKENS_ISSUED.name, "client_credentials"] == 2
    assert told[TOKEN_SECONDS.name, "0.005"] == 2
    assert told[READS.name, "complete", "", "json"] == 1


def test_all_that_is_counted_is_a_measure_with_so_many_labels() -> None:
    tally = make_tally()
    tally.count([issue(), end(), RowsRefused(at=NOW, error="", reason="r")], is_durable=True)
    labels = {measure.name: len(measure.labels) + bool(measure.bounds) for measure in MEASURES}
    for words in tally.read():
        assert len(words) == 1 + labels[words[0]]
