"""A call carries bytes, goes through TLS and a proxy, and shows no secret."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
import trustme

from open311.federation.addresses import Guard, host_of
from open311.federation.calls import Call, Limits
from open311.federation.client import ForbiddenAddress, GeoReportClient, NewRequest, Refused, Unreachable
from open311.federation.tls import Tls, UnusableTls
from open311.federation.transport import Transport
from open311.outgoing import proxy_of
from tests.federation.proxying import proxy_to
from tests.federation.scripted import QUICK, Reply, Script, as_json, serve

JSON = {"Content-Type": "application/json"}


def transport_to(script: Script, **options: object) -> Transport:
    return Transport(QUICK, Guard(frozenset({host_of(script.origin)})), **options)  # type: ignore[arg-type]


# --- Bytes


def test_a_post_carries_its_bytes_and_their_type() -> None:
    body = json.dumps({"text": "Grüße ☂"}, ensure_ascii=False).encode()
    with serve(as_json({"ok": True}, 202)) as script:
        call = Call("POST", f"{script.origin}/hook", body=body, headers={**JSON, "webhook-id": "m-1"})
        assert transport_to(script).send(call).status == 202
        [asked] = script.asked
    assert asked.body == body
    assert (asked.headers["Content-Type"], asked.headers["webhook-id"]) == ("application/json", "m-1")
    assert "Grüße" not in repr(call)


def test_a_post_may_have_an_empty_body() -> None:
    with serve(as_json({})) as script:
        transport_to(script).send(Call("POST", f"{script.origin}/hook", body=b""))
        assert script.asked[0].headers["Content-Length"] == "0"


def test_a_call_has_either_a_body_or_a_form() -> None:
    with pytest.raises(ValueError, match="either"):
        Call("POST", "http://a.example", body=b"{}", data=[("a", "b")])
    with pytest.raises(ValueError, match="a GET has neither"):
        Call("GET", "http://a.example", body=b"{}")


def test_a_repeatable_post_is_tried_again() -> None:
    with serve(as_json([], 503), as_json({})) as script:
        guard = Guard(frozenset({host_of(script.origin)}))
        transport = Transport(Limits(rate_per_s=0, retries=1), guard, pause=lambda _: None)
        assert transport.send(Call("POST", script.origin, body=b"{}", is_repeatable=True)).status == 200


def test_a_redirect_to_another_host_does_not_get_secret_headers() -> None:
    secret = {"Authorization": "Bearer secret", "X-Api-Key": "secret", "Accept": "text/csv"}
    with serve(as_json([])) as other:
        moved = Reply(status=302, headers={"Location": f"{other.origin}/x"})
        with serve(moved) as script:
            guard = Guard(frozenset({host_of(script.origin), host_of(other.origin)}))
            Transport(QUICK, guard).send(Call("GET", script.origin, headers=secret))
        [asked] = other.asked
    assert asked.headers["Accept"] == "text/csv"
    assert "secret" not in str(asked.headers)


# --- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Path:
    """Files of the authority, of our certificate, and of a certificate that another authority has signed."""
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, signer in (("ours", authority), ("foreign", trustme.CA())):
        issued = signer.issue_cert(f"{name}@city.example")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}-both.pem")
    (folder / "text.pem").write_text("no certificate, but personal text")
    return folder


def context(authority: trustme.CA, *, wants_ours: bool = False, name: str = "localhost") -> ssl.SSLContext:
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(found)
    if wants_ours:
        authority.configure_trust(found)
        found.verify_mode = ssl.CERT_REQUIRED
    return found


def test_a_server_of_a_private_authority_is_reached_with_its_file(authority: trustme.CA, files: Path) -> None:
    with serve(as_json([]), tls=context(authority)) as script:
        with script.client() as client, pytest.raises(Unreachable, match="unable to get local issuer"):
            client.services()
        with script.client(tls=Tls(ca=str(files / "ca.pem"))) as client:
            assert client.services() == []


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, files: Path) -> None:
    with (
        serve(as_json([]), tls=context(authority, name="other.example")) as script,
        script.client(tls=Tls(ca=str(files / "ca.pem"))) as client,
        pytest.raises(Unreachable, match="Hostname mismatch"),
    ):
        client.services()


def test_a_server_that_wants_our_certificate_gets_it(authority: trustme.CA, files: Path) -> None:
    pairs = [("ours.pem", "ours.key"), ("ours-both.pem", "")]
    with serve(as_json([]), tls=context(authority, wants_ours=True)) as script:
        for cert, key in pairs:
            tls = Tls(ca=str(files / "ca.pem"), cert=str(files / cert), key=str(files / key) if key else "")
            with script.client(tls=tls) as client:
                assert client.services() == []


@pytest.mark.parametrize("cert", ["", "foreign-both.pem"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_post_with_a_refused_certificate_counts_as_not_received(
    authority: trustme.CA, files: Path, cert: str, version: ssl.TLSVersion
) -> None:
    theirs = context(authority, wants_ours=True)
    theirs.maximum_version = version
    tls = Tls(ca=str(files / "ca.pem"), cert=str(files / cert) if cert else "")
    with serve(as_json([]), tls=theirs) as script, script.client(tls=tls) as client:
        with pytest.raises(Unreachable, match="refuses our certificate") as caught:
            client.post_request(NewRequest(service_code="x"))
        assert not caught.value.is_uncertain
        assert script.asked == []


def test_another_host_gets_neither_our_certificate_nor_our_trust(authority: trustme.CA, files: Path) -> None:
    ours = Tls(ca=str(files / "ca.pem"), cert=str(files / "ours-both.pem"))
    with serve(as_json([]), tls=context(authority, wants_ours=True)) as other:
        host = host_of(other.origin)
        for tls, reason in ({}, "self-signed"), ({host: Tls(ca=ours.ca)}, "refuses our certificate"):
            transport = Transport(QUICK, Guard(frozenset({host})), tls={("city.example", 443): ours, **tls})
            with pytest.raises(Unreachable, match=reason):
                transport.send(Call("GET", other.origin))


@pytest.mark.parametrize(
    ("ca", "cert", "key", "reason"),
    [
        ("missing.pem", "", "", "No such file"),
        ("text.pem", "", "", "no certificate is in the file"),
        ("", "ours.pem", "", "not a PEM file"),
        ("", "missing.pem", "ours.key", "No such file"),
        ("", "ours.pem", "foreign.key", "another certificate"),
        ("", "", "ours.key", "ours.key: there is a private key, but no certificate"),
        ("", "ours.pem", "locked.key", "locked.key: the private key has a password"),
    ],
)
def test_files_that_cannot_be_used_are_refused_before_the_first_call(
    files: Path, ca: str, cert: str, key: str, reason: str
) -> None:
    from cryptography.hazmat.primitives import serialization as form

    loaded = form.load_pem_private_key((files / "ours.key").read_bytes(), None)
    locked = form.BestAvailableEncryption(b"word")
    pem = loaded.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked)
    (files / "locked.key").write_bytes(pem)
    tls = Tls(*(str(files / name) if name else "" for name in (ca, cert, key)))
    with pytest.raises(UnusableTls, match=reason) as caught:
        GeoReportClient("https://city.example", tls=tls)
    assert "personal" not in str(caught.value)


# --- Proxy


def test_a_call_goes_through_the_proxy_that_resolves_the_name(authority: trustme.CA, files: Path) -> None:
    tls = Tls(ca=str(files / "ca.pem"))
    with (
        serve(as_json([]), tls=context(authority, name="far.invalid")) as script,
        proxy_to(script.origin) as proxy,
        GeoReportClient("https://far.invalid/v2", tls=tls, proxy=proxy.url, limits=QUICK) as client,
    ):
        assert client.services() == []
        assert proxy.asked == ["CONNECT far.invalid:443"]
        assert proxy.credentials == ["Basic dXNlcjpwcm94eS1wYXNzd29yZA=="]
        assert "Proxy-Authorization" not in script.asked[0].headers


def test_a_call_without_tls_goes_through_the_proxy_too() -> None:
    with (
        serve(as_json([])) as script,
        proxy_to(script.origin) as proxy,
        GeoReportClient("http://far.invalid/v2", proxy=proxy.url, limits=QUICK) as client,
    ):
        assert client.services() == []
        assert proxy.asked == ["GET http://far.invalid/v2/services.json"]
        assert script.asked[0].headers["Host"] == "far.invalid"


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_call_that_the_proxy_refuses_has_not_reached_the_server(status: int) -> None:
    with (
        serve(as_json([])) as script,
        proxy_to(script.origin, status=status) as proxy,
        GeoReportClient("https://far.invalid/v2", proxy=proxy.url, limits=QUICK, api_key="k") as client,
    ):
        with pytest.raises(Unreachable, match="ProxyError") as caught:
            client.post_request(NewRequest(service_code="x"))
        assert not caught.value.is_uncertain
        assert "proxy-password" not in f"{caught.value!r}{caught.value}"


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data"),
        *(
            "http://localhost/",
            "http://intranet/",
            "http://db.internal/",
            "http://printer.local./",
            "http://2130706433/",
        ),
    ],
)
def test_the_proxy_is_not_called_for_local_names_and_addresses(url: str) -> None:
    with (
        serve(as_json([])) as script,
        proxy_to(script.origin) as proxy,
        GeoReportClient("http://far.invalid/v2", proxy=proxy.url, limits=QUICK) as client,
    ):
        with pytest.raises(ForbiddenAddress):
            client.media(url)
        assert proxy.asked == []


def test_a_redirect_behind_the_proxy_is_checked_too() -> None:
    moved = Reply(status=302, headers={"Location": "http://localhost:5432/"})
    with (
        serve(moved) as script,
        proxy_to(script.origin) as proxy,
        GeoReportClient("http://far.invalid/v2", proxy=proxy.url, limits=QUICK) as client,
    ):
        with pytest.raises(ForbiddenAddress):
            client.services()
        assert len(proxy.asked) == 1


def test_the_configured_host_may_be_local_behind_the_proxy() -> None:
    with (
        serve(as_json([])) as script,
        proxy_to(script.origin) as proxy,
        GeoReportClient("http://workorders.internal/v2", proxy=proxy.url, limits=QUICK) as client,
    ):
        assert client.services() == []


def test_proxy_variables_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(as_json([])) as script, proxy_to(script.origin) as proxy, script.client() as client:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert client.services() == []
        assert proxy.asked == []


@pytest.mark.parametrize(
    "url",
    [
        *(
            "proxy.example:3128",
            "https://proxy.example:3128",
            "socks5://proxy.example:1080",
            "http://proxy.example",
        ),
        *("http://u:proxy-password@:3128", "http://proxy.example:3128/path", "http://u:proxy-password@a.example:x"),
    ],
)
def test_the_error_for_a_bad_proxy_address_does_not_show_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="a proxy must look like") as caught:
        proxy_of(url)
    assert "proxy-password" not in str(caught.value)


# --- What an operator reads


def test_a_refused_connection_and_an_unknown_host_have_different_errors() -> None:
    with serve(as_json([])) as script:
        client = GeoReportClient(script.origin, limits=QUICK)
    with pytest.raises(Unreachable, match="was not sent: nothing listens at this address"):
        client.services()
    with pytest.raises(Unreachable, match="was not sent: the name of the host leads to no address"):
        GeoReportClient("http://nowhere.invalid", limits=QUICK).services()


def test_a_code_that_repeats_the_status_is_shown_once() -> None:
    problems = [{"code": "400", "description": "lat is missing"}, {"code": "1001", "description": "Odd"}]
    with serve(as_json(problems, 400)) as script, pytest.raises(Refused) as raised:
        GeoReportClient(script.origin, limits=QUICK).services()
    assert str(raised.value).endswith("answered 400: lat is missing; 1001: Odd")
