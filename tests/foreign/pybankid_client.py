"""Logs people in at the simulator with a BankID client of somebody else's: the package pybankid.

Only the addresses, the CA file and the client certificate of the client are replaced. Everything it
sends and everything it reads is its own, so this shows that the simulator speaks BankID's language
and not just ours. One line for each step; the first thing that is wrong ends it with a failure.
"""

import argparse
import base64
import hashlib
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

import bankid
import bankid.baseclient
from bankid.exceptions import InvalidParametersError
from bankid.responses import AuthenticateResponse, CompletionData, Device, User

# BankID asks for this much time between two collects.
COLLECT_INTERVAL = 2.0
# The code that approves: any six digits but 000000.
SECURITY_CODE = "123456"


class Wrong(Exception):
    """Something is not as it should be."""


def check(holds, otherwise):
    # Not `assert`, which python -O leaves out.
    if not holds:
        raise Wrong(otherwise)


def step(sentence):
    print(sentence, flush=True)


class Phone:
    """The phone's REST door."""

    def __init__(self, url):
        self.url = url
        # The machine's proxy has no way to a phone on this machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def people(self):
        with self.opener.open(self.url + "api/people", timeout=10) as answer:
            return json.load(answer)

    def press(self, door, body):
        """The status and the answer."""
        request = urllib.request.Request(
            f"{self.url}api/{door}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self.opener.open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def scan(self, text, person):
        status, answer = self.press("scan", {"qr": text, "person": person["personalNumber"]})
        check(status == 200, f"the phone does not take the code: {answer}")
        return answer

    def refuses(self, text, person):
        status, _ = self.press("scan", {"qr": text, "person": person["personalNumber"]})
        return status == 400

    def approve(self, request):
        status, answer = self.press("approve", {"handle": request["handle"], "code": SECURITY_CODE})
        check(status == 200, f"the phone does not approve: {answer}")


def make_client(api, ca_file, certificate, key):
    """A client as its makers made it, but for where it goes and whom it believes."""
    bankid.baseclient.resolve_cert_path = lambda _name: ca_file
    client = bankid.BankIDClient((certificate, key), test_server=True)
    base = client.api_url
    for name, value in list(vars(client).items()):
        if isinstance(value, str) and value.startswith(base):
            setattr(client, name, api + value.removeprefix(base))
    return client


def strict_handshake(api, ca_file, certificate, key):
    """The handshake as Python 3.13 and later do it, which look closer at certificates."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(certificate, key)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        opener.open(api + "auth", timeout=10)
    except urllib.error.HTTPError as refusal:
        check(refusal.code == 405, f"a GET is answered {refusal.code}")
    else:
        raise Wrong("a GET is answered")


def frame(token, secret, second):
    """The text of a code, computed from RFC 2104 and BankID's description, without any library of
    theirs or ours."""
    padded = secret.encode("ascii").ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + str(second).encode("ascii"))
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner.digest())
    return f"bankid.{token}.{second}.{outer.hexdigest()}"


def frames_agree(client, order):
    token, secret = order["qrStartToken"], order["qrStartSecret"]
    for second in (0, 1, 2, 9, 10, 29, 59):
        # In the middle of a second, so that a slow machine does not get into the next.
        ago = second + 0.5
        for since in (time.time() - ago, datetime.now(timezone.utc) - timedelta(seconds=ago)):
            text = client.generate_qr_code_content(token, since, secret)
            check(text == frame(token, secret, second), f"the code of second {second} differs")


def expect_invalid(call, what):
    try:
        call()
    except InvalidParametersError as error:
        check(error.json["errorCode"] == "invalidParameters", f"{what}: {error}")
        check(error.json["details"], f"{what}: nothing is said about it")
        return error
    raise Wrong(f"{what} is accepted")


class Collector:
    """Collects an order no oftener than BankID allows."""

    def __init__(self, client, order):
        self.client = client
        self.order_ref = order["orderRef"]
        self.last = None

    def collect(self):
        if self.last is not None:
            time.sleep(max(0.0, self.last + COLLECT_INTERVAL - time.monotonic()))
        self.last = time.monotonic()
        return self.client.collect(self.order_ref)

    def pending(self, hint):
        answer = self.collect()
        check(
            (answer["orderRef"], answer["status"], answer["hintCode"])
            == (self.order_ref, "pending", hint),
            f"not pending with {hint}: {answer}",
        )


def has_members(value, kind):
    """Whether a part of the answer has what the client's own types say."""
    missing = kind.__required_keys__ - value.keys()
    check(not missing, f"{kind.__name__} lacks {sorted(missing)}")


def check_completion(answer, person):
    check(answer["status"] == "complete", f"not complete: {answer}")
    data = answer["completionData"]
    has_members(data, CompletionData)
    has_members(data["user"], User)
    has_members(data["device"], Device)
    user = data["user"]
    check(user["personalNumber"] == person["personalNumber"], "another person")
    check(user["name"] == person["name"], "another name")
    check(f"{user['givenName']} {user['surname']}" == person["name"], "other parts of the name")
    # BankID's dates have a zone and no time.
    check(
        datetime.strptime(data["bankIdIssueDate"].removesuffix("Z"), "%Y-%m-%d") < datetime.now(),
        "a BankID of the future",
    )
    signature = base64.b64decode(data["signature"], validate=True)
    check(
        ElementTree.fromstring(signature).tag.endswith("Signature"),
        "the signature is another document",
    )
    # A SEQUENCE of ASN.1; tests/foreign/verify_signature.py looks inside.
    check(base64.b64decode(data["ocspResponse"], validate=True)[:1] == b"\x30", "no OCSP response")


def run(arguments):
    api = arguments.api if arguments.api.endswith("/") else arguments.api + "/"
    phone = Phone(arguments.phone)
    files = (arguments.ca_file, arguments.certificate, arguments.key)

    check(
        frame(
            "67df3917-fa0d-44e5-b327-edcc928297f8", "d28db9a7-4cde-429e-a983-359be676944c", 4
        ).endswith(".4.1d9a7e5dd98d08cb393f73c63ce032df0c9433512153ab9fb040b96cd45b1b11"),
        "the independent computation does not give what BankID's documentation gives",
    )
    strict_handshake(api, *files)
    step("the server's certificate stands strict checks")

    client = make_client(api, *files)
    people = phone.people()
    check(len(people) >= 4, "too few people")

    text = "Logga in hos *Åsas* kommun"
    order = client.authenticate(
        end_user_ip="192.0.2.1",
        requirement={"pinCode": True},
        user_visible_data=text,
        user_non_visible_data="for nobody's eyes",
        user_visible_data_format="simpleMarkdownV1",
    )
    started = time.time()
    has_members(order, AuthenticateResponse)
    for name in AuthenticateResponse.__required_keys__:
        check(str(uuid.UUID(order[name])) == order[name], f"{name} is no UUID")
    collector = Collector(client, order)
    collector.pending("outstandingTransaction")
    step("an order is made and waits")

    frames_agree(client, order)
    step("the client's codes are as computed independently")

    token, secret = order["qrStartToken"], order["qrStartSecret"]
    early = frame(token, secret, 25)
    check(phone.refuses(early, people[0]), "a code of the future is taken")
    forged = frame(token, order["orderRef"], 0)
    check(phone.refuses(forged, people[0]), "a code made with another key is taken")
    request = phone.scan(client.generate_qr_code_content(token, started, secret), people[0])
    check(request["text"] == text, "the person sees another text")
    check(request["relyingParty"], "the person does not see who asks")
    collector.pending("userSign")
    step("the phone takes the client's code and no other")

    phone.approve(request)
    check_completion(collector.collect(), people[0])
    expect_invalid(collector.collect, "a second collect of a result")
    step("the order is collected to the end, once")

    # Other people, because one person has one order at a time.
    for second, person in ((1, people[1]), (3, people[2])):
        order = client.authenticate(end_user_ip="2001:db8::1")
        started = time.time()
        token, secret = order["qrStartToken"], order["qrStartSecret"]
        time.sleep(max(0.0, started + second + 0.2 - time.time()))
        text = client.generate_qr_code_content(token, started, secret)
        shown = int(text.split(".")[2])
        check(shown >= second and text == frame(token, secret, shown), "the code differs")
        phone.approve(phone.scan(text, person))
        check_completion(client.collect(order["orderRef"]), person)
    step("codes of later seconds are taken, too")

    order = client.authenticate(end_user_ip="192.0.2.1")
    check(client.cancel(order["orderRef"]) is True, "it is not cancelled")
    expect_invalid(lambda: client.collect(order["orderRef"]), "a collect of a cancelled order")
    gone = client.generate_qr_code_content(
        order["qrStartToken"], time.time(), order["qrStartSecret"]
    )
    check(phone.refuses(gone, people[3]), "the code of a cancelled order is taken")
    step("an order is cancelled and is no more")

    unknown = str(uuid.uuid4())
    error = expect_invalid(lambda: client.collect(unknown), "a collect of an unknown order")
    check(error.json["details"] == "No such order", f"an unknown order: {error}")
    expect_invalid(lambda: client.cancel(unknown), "a cancel of an unknown order")
    mapped = "::ffff:192.0.2.1"
    expect_invalid(lambda: client.authenticate(end_user_ip=mapped), "an IPv4 address as IPv6")
    step("what is wrong becomes the client's own exception")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("api", help="the address of the API, up to and with /rp/v6.0")
    parser.add_argument("ca_file", help="the root of the API's certificate (PEM)")
    parser.add_argument("certificate", help="the relying party's certificate (PEM)")
    parser.add_argument("key", help="its key (PEM)")
    parser.add_argument("phone", help="the phone's address, with a / at its end")
    try:
        run(parser.parse_args())
    except Wrong as wrong:
        sys.exit(f"wrong: {wrong}")


if __name__ == "__main__":
    main()
