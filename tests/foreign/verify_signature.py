"""Verifies a BankID signature and its OCSP response, independently of this project's own code.

It takes the one shape that BankID makes and no other, which is why it needs no canonicaliser: the
three signed elements stand in the document as they were signed, so their bytes are cut out and
hashed. What is believed is read from inside these bytes only.

The time that counts is the OCSP response's `producedAt`; the clock of this machine is not asked, so
that old evidence can be verified.
"""

import argparse
import base64
import binascii
import hashlib
import json
import pathlib
import re
import sys
from datetime import timedelta
from xml.etree import ElementTree
from xml.parsers import expat

from asn1crypto import core, ocsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DSIG = "http://www.w3.org/2000/09/xmldsig#"
BANKID = "http://www.bankid.com/signature/v1.0.0/types"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

# An identification's document is 9 KB.
LARGEST = 128 * 1024
# Leaf, customer CA, bank CA. The root is not sent.
CHAIN_LENGTH = 3
SMALLEST_KEY = 2048
NONCE = "1.3.6.1.5.5.7.48.1.2"
HASHES = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}


class Refused(Exception):
    """Why the evidence is not believed."""


def check(holds, otherwise):
    # Not `assert`, which python -O leaves out.
    if not holds:
        raise Refused(otherwise)


def decode(text, what):
    check(isinstance(text, str) and len(text) <= LARGEST * 4 // 3 + 4, f"{what}: no text, or long")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"{what}: {error}") from error
    # There is one way only to write the same bytes.
    check(base64.b64encode(decoded).decode() == text, f"{what}: loose base64")
    return decoded


# The document


class Element:
    """An element, with where its bytes begin and end."""

    def __init__(self, name, attributes, start):
        self.name = name
        self.attributes = attributes
        self.start = start
        self.end = start
        self.children = []
        self.text = ""

    def named(self, namespace, *names):
        """The children, which are these and no others."""
        expected = [f"{namespace} {name}" for name in names]
        found = [child.name for child in self.children]
        check(found == expected, f"{self.name}: {found} in place of {expected}")
        check(not self.text.strip(), f"{self.name}: text between elements")
        return self.children

    def one(self, name):
        """The only child of this name; others may be beside it."""
        found = [child for child in self.children if child.name == f"{BANKID} {name}"]
        check(len(found) == 1, f"{self.name}: {len(found)} of {name}")
        return found[0]

    def only(self, **attributes):
        """It has these attributes and no others."""
        check(self.attributes == attributes, f"{self.name}: attributes {self.attributes}")
        return self

    def plain(self, **attributes):
        """It has text alone, and these attributes."""
        check(not self.children, f"{self.name}: elements in it")
        self.only(**attributes)
        return self.text


def parse(document):
    """The tree of a document that has elements, attributes and text and nothing else."""
    check(document.startswith(b"<"), "it does not begin as XML")
    try:
        document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("it is not UTF-8") from error
    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
    parser.buffer_text = True
    open_elements, roots = [], []

    def started(name, attributes):
        element = Element(name, attributes, parser.CurrentByteIndex)
        (open_elements[-1].children if open_elements else roots).append(element)
        open_elements.append(element)

    def ended(_name):
        element = open_elements.pop()
        # The end tag has no attributes, so its first > is its last byte.
        element.end = document.index(b">", parser.CurrentByteIndex) + 1

    def told(text):
        open_elements[-1].text += text

    def refuse(*_):
        raise Refused("it has more than elements and text")

    parser.StartElementHandler = started
    parser.EndElementHandler = ended
    parser.CharacterDataHandler = told
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.CommentHandler = refuse
    parser.ProcessingInstructionHandler = refuse
    parser.StartCdataSectionHandler = refuse
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise Refused(f"it is not XML: {error}") from error
    return roots[0]


def everything(element):
    yield element
    for child in element.children:
        yield from everything(child)


def cut(document, element, begins):
    """The bytes of an element, which must be in canonical form already."""
    raw = document[element.start : element.end]
    check(raw.startswith(begins), f"{element.name} does not begin as it is signed")
    # It declares its own namespace, so that it can be read alone.
    canonical = ElementTree.canonicalize(raw.decode("utf-8"))
    check(canonical.encode("utf-8") == raw, f"{element.name} is not canonical")
    return raw


class Signature:
    """The parts of a document of the right shape. Nothing is verified yet."""

    def __init__(self, document):
        check(len(document) <= LARGEST, "the document is too large")
        root = parse(document)
        check(root.name == f"{DSIG} Signature", f"{root.name} is no signature")
        root.only()
        ids = [
            value
            for element in everything(root)
            for name, value in element.attributes.items()
            if name.split(" ")[-1].lower() == "id"
        ]
        check(sorted(ids) == ["bidKeyInfo", "bidSignedData"], f"the Ids are {ids}")
        info, value, key_info, container = root.named(
            DSIG, "SignedInfo", "SignatureValue", "KeyInfo", "Object"
        )
        method, algorithm, data, keys = info.only().named(
            DSIG, "CanonicalizationMethod", "SignatureMethod", "Reference", "Reference"
        )
        check(method.plain(Algorithm=C14N) == "", "the canonicalisation says more")
        check(algorithm.plain(Algorithm=RSA_SHA256) == "", "the algorithm says more")
        self.data_digest = self.digest(data.only(URI="#bidSignedData", Type=BANKID))
        self.key_digest = self.digest(keys.only(URI="#bidKeyInfo"))
        self.value = decode(value.plain(), "SignatureValue")

        (x509_data,) = key_info.only(Id="bidKeyInfo").named(DSIG, "X509Data")
        certificates = x509_data.only().named(DSIG, *["X509Certificate"] * CHAIN_LENGTH)
        try:
            self.chain = [
                x509.load_der_x509_certificate(decode(c.plain(), "X509Certificate"))
                for c in certificates
            ]
        except ValueError as error:
            raise Refused(f"a certificate cannot be read: {error}") from error

        (signed,) = container.only().named(BANKID, "bankIdSignedData")
        signed.only(Id="bidSignedData")
        self.read(signed)

        self.info_bytes = cut(document, info, b'<SignedInfo xmlns="%b">' % DSIG.encode())
        self.key_bytes = cut(
            document, key_info, b'<KeyInfo xmlns="%b" Id="bidKeyInfo">' % DSIG.encode()
        )
        self.data_bytes = cut(
            document,
            signed,
            b'<bankIdSignedData xmlns="%b" Id="bidSignedData">' % BANKID.encode(),
        )

    @staticmethod
    def digest(reference):
        transforms, method, value = reference.named(
            DSIG, "Transforms", "DigestMethod", "DigestValue"
        )
        (transform,) = transforms.only().named(DSIG, "Transform")
        check(transform.plain(Algorithm=C14N) == "", "a transform says more")
        check(method.plain(Algorithm=SHA256) == "", "a digest method says more")
        return decode(value.plain(), "DigestValue")

    def read(self, signed):
        """What was signed. Unknown elements in srvInfo and clientInfo may come any day."""
        names = [child.name.split(" ")[-1] for child in signed.children]
        check(
            re.fullmatch(
                "(usrVisibleData )?(usrNonVisibleData )?srvInfo clientInfo", " ".join(names)
            ),
            f"bankIdSignedData has {names}",
        )
        for child in signed.children:
            check(child.name.startswith(f"{BANKID} "), f"{child.name} among what is signed")
        self.visible = self.non_visible = None
        if "usrVisibleData" in names:
            visible = signed.one("usrVisibleData")
            kind = {k: v for k, v in visible.attributes.items() if k != "format"}
            check(kind == {"charset": "UTF-8", "visible": "wysiwys"}, f"text shown as {kind}")
            check(
                visible.attributes.get("format", "simpleMarkdownV1") == "simpleMarkdownV1",
                "text in an unknown format",
            )
            self.visible = decode(visible.text, "usrVisibleData")
        if "usrNonVisibleData" in names:
            self.non_visible = decode(signed.one("usrNonVisibleData").plain(), "usrNonVisibleData")
        server, client = signed.one("srvInfo"), signed.one("clientInfo")
        self.party = decode(server.one("name").plain(), "srvInfo name").decode("utf-8")
        self.display_name = decode(server.one("displayName").plain(), "displayName").decode("utf-8")
        check(self.party and self.display_name, "nobody asked for it")
        check(len(decode(server.one("nonce").plain(), "nonce")) == 20, "the nonce is not 20 bytes")
        self.purpose = client.one("funcId").plain()
        check(self.purpose in ("Identification", "Signing"), f"made for {self.purpose}")
        decode(client.one("version").plain(), "version")

    def verify(self):
        """Both digests, and the signature by the leaf's key."""
        check(hashlib.sha256(self.data_bytes).digest() == self.data_digest, "bidSignedData differs")
        check(hashlib.sha256(self.key_bytes).digest() == self.key_digest, "bidKeyInfo differs")
        key = self.chain[0].public_key()
        check(isinstance(key, rsa.RSAPublicKey), "the person's key is no RSA key")
        check(key.key_size >= SMALLEST_KEY, "the person's key is too short")
        try:
            key.verify(self.value, self.info_bytes, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as error:
            raise Refused("the signature is not by the person's key") from error


# Certificates


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def verify_by(key, signature, signed, algorithm):
    """A signature of a CA or a responder, which may use other keys than people do."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            check(key.key_size >= SMALLEST_KEY, "an issuer's key is too short")
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(algorithm))
        else:
            raise Refused(f"an issuer has a {type(key).__name__}")
    except InvalidSignature as error:
        raise Refused("a signature is not by its issuer's key") from error


def verify_issued(certificate, issuer, at):
    """That a certificate is good at a time and was issued by another, which may issue."""
    who = certificate.subject.rfc4514_string()
    check(
        certificate.issuer.public_bytes() == issuer.subject.public_bytes(), f"{who}: other issuer"
    )
    check(
        certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc,
        f"{who}: not valid at {at}",
    )
    algorithm = certificate.signature_hash_algorithm
    check(
        algorithm is not None and algorithm.name in HASHES, f"{who}: signed with a weak algorithm"
    )
    verify_by(
        issuer.public_key(),
        certificate.signature,
        certificate.tbs_certificate_bytes,
        algorithm,
    )
    known = extension(certificate, x509.AuthorityKeyIdentifier)
    its_own = extension(issuer, x509.SubjectKeyIdentifier)
    if known is not None and known.key_identifier is not None and its_own is not None:
        check(known.key_identifier == its_own.digest, f"{who}: another key of its issuer")


def verify_may_issue(certificate, authorities_below):
    who = certificate.subject.rfc4514_string()
    constraints = extension(certificate, x509.BasicConstraints)
    check(constraints is not None and constraints.ca, f"{who} is no CA")
    check(
        constraints.path_length is None or constraints.path_length >= authorities_below,
        f"{who} may not have {authorities_below} CAs below",
    )
    usage = extension(certificate, x509.KeyUsage)
    check(usage is not None and usage.key_cert_sign, f"{who} may not sign certificates")


def verify_chain(chain, root, at):
    """Leaf, customer CA and bank CA, up to the root that we were given."""
    whole = [*chain, root]
    check(root not in chain, "the root is sent")
    check(len({c.fingerprint(hashes.SHA256()) for c in whole}) == len(whole), "one comes twice")
    for index, (certificate, issuer) in enumerate(zip(whole, whole[1:])):
        verify_issued(certificate, issuer, at)
        verify_may_issue(issuer, index)
    # The root is trusted because it was given, and its time counts all the same.
    verify_issued(root, root, at)
    leaf = chain[0]
    constraints = extension(leaf, x509.BasicConstraints)
    check(constraints is None or not constraints.ca, "the person is a CA")
    usage = extension(leaf, x509.KeyUsage)
    check(
        usage is not None and (usage.digital_signature or usage.content_commitment),
        "the person's key is not for signatures",
    )
    check(
        extension(leaf, x509.CertificatePolicies) is not None, "no policy says which kind of BankID"
    )


def verify_person(leaf, data, personal_number):
    numbers = [a.value for a in leaf.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)]
    check(numbers == [personal_number], "the certificate is another person's")
    check(data["user"]["personalNumber"] == personal_number, "completionData names another person")


# The OCSP response


class Extension(core.Sequence):
    """An extension whose value is left as it is. The library's own type reads nonces as RFC 8954
    has them, which BankID's are not."""

    _fields = [
        ("extn_id", core.ObjectIdentifier),
        ("critical", core.Boolean, {"default": False}),
        ("extn_value", core.OctetString),
    ]


class Extensions(core.SequenceOf):
    _child_spec = Extension


class Status:
    """An OCSP response, taken apart. Nothing is verified yet."""

    def __init__(self, der):
        try:
            response = ocsp.OCSPResponse.load(der, strict=True)
            status = response["response_status"].native
            check(status == "successful", f"the responder answered {status}")
            body = response["response_bytes"]
            check(body["response_type"].native == "basic_ocsp_response", "not a basic response")
            self.basic = body["response"].parsed
            data = self.basic["tbs_response_data"]
            self.signed = data.dump()
            self.signature = self.basic["signature"].native
            self.algorithm = self.basic["signature_algorithm"]["algorithm"].native
            self.responder_id = data["responder_id"]
            self.produced_at = data["produced_at"].native
            self.answers = list(data["responses"])
            extensions = data["response_extensions"]
            check(not isinstance(extensions, core.Void), "the OCSP response has no extensions")
            self.extensions = list(Extensions.load(extensions.untag().dump(), strict=True))
            self.certificates = [
                x509.load_der_x509_certificate(certificate.dump())
                for certificate in (self.basic["certs"] or [])
            ]
        except (ValueError, TypeError, KeyError) as error:
            raise Refused(f"the OCSP response cannot be read: {error}") from error

    def verify(self, leaf, issuer, signature_text):
        self.verify_responder(issuer)
        self.verify_answer(leaf, issuer)
        self.verify_nonce(signature_text)

    def verify_responder(self, issuer):
        """By somebody whom the person's own CA entrusted with it."""
        named = [c for c in self.certificates if self.is_responder(c)]
        check(len(named) == 1, f"{len(named)} certificates are the responder's")
        (responder,) = named
        verify_issued(responder, issuer, self.produced_at)
        constraints = extension(responder, x509.BasicConstraints)
        check(constraints is None or not constraints.ca, "the responder is a CA")
        usage = extension(responder, x509.ExtendedKeyUsage)
        check(
            usage is not None and ExtendedKeyUsageOID.OCSP_SIGNING in usage,
            "the responder may not answer for its CA",
        )
        usage = extension(responder, x509.KeyUsage)
        check(usage is None or usage.digital_signature, "the responder's key is not for signatures")
        digest, _, scheme = self.algorithm.partition("_")
        kinds = {"rsa": rsa.RSAPublicKey, "ecdsa": ec.EllipticCurvePublicKey}
        check(digest in HASHES and scheme in kinds, f"the response is signed by {self.algorithm}")
        key = responder.public_key()
        check(isinstance(key, kinds[scheme]), "the responder has another kind of key")
        verify_by(key, self.signature, self.signed, HASHES[digest]())

    def is_responder(self, certificate):
        if self.responder_id.name == "by_name":
            return self.responder_id.chosen.untag().dump() == certificate.subject.public_bytes()
        return self.responder_id.chosen.native == key_hash(certificate, "sha1")

    def verify_answer(self, leaf, issuer):
        check(len(self.answers) == 1, f"{len(self.answers)} answers")
        (answer,) = self.answers
        about = answer["cert_id"]
        algorithm = about["hash_algorithm"]["algorithm"].native
        check(algorithm in ("sha1", "sha256"), f"the certificate is named by {algorithm}")
        check(
            about["serial_number"].native == leaf.serial_number, "it is about another certificate"
        )
        name = hashlib.new(algorithm, leaf.issuer.public_bytes()).digest()
        check(about["issuer_name_hash"].native == name, "it is about another issuer's name")
        check(
            about["issuer_key_hash"].native == key_hash(issuer, algorithm),
            "it is about another issuer's key",
        )
        check(answer["cert_status"].name == "good", f"the status is {answer['cert_status'].name}")
        # A second, because one of the times may be rounded.
        slack = timedelta(seconds=1)
        check(
            answer["this_update"].native <= self.produced_at + slack, "its news are of the future"
        )
        until = answer["next_update"].native
        check(until is None or until >= self.produced_at - slack, "its news were old")

    def verify_nonce(self, signature_text):
        """What ties this response to this signature."""
        nonces = [e["extn_value"] for e in self.extensions if e["extn_id"].dotted == NONCE]
        check(len(nonces) == 1, f"{len(nonces)} nonces")
        nonce = nonces[0].native
        # RFC 8954 wraps the nonce once more; BankID's own responses were seen without.
        if len(nonce) == 34 and nonce[:2] == b"\x04\x20":
            nonce = nonce[2:]
        check(len(nonce) == 32, f"the nonce is {len(nonce)} bytes")
        digest = hashlib.sha1(signature_text.encode("utf-8")).digest()
        check(nonce[:20] == digest, "the response was made for another signature")


def key_hash(certificate, algorithm):
    """As OCSP names a key: over the bits alone, without what says of which kind they are."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        raise Refused(f"an issuer has a {type(key).__name__}")
    return hashlib.new(algorithm, bits).digest()


def verify(data, root, personal_number):
    signature = Signature(decode(data["signature"], "signature"))
    signature.verify()
    status = Status(decode(data["ocspResponse"], "ocspResponse"))
    # The chain first: the responder is believed for the sake of the CA that the root vouches for.
    verify_chain(signature.chain, root, status.produced_at)
    status.verify(signature.chain[0], signature.chain[1], data["signature"])
    verify_person(signature.chain[0], data, personal_number)
    return signature


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="a file with the completionData of a collect (JSON)")
    parser.add_argument("root", help="the root of people's certificates (PEM)")
    parser.add_argument("personal_number", help="whose signature it must be")
    arguments = parser.parse_args()
    data = json.loads(pathlib.Path(arguments.data).read_text("utf-8"))
    root = x509.load_pem_x509_certificate(pathlib.Path(arguments.root).read_bytes())
    try:
        verify(data, root, arguments.personal_number)
    except Refused as refused:
        sys.exit(f"refused: {refused}")
    except (ValueError, KeyError, TypeError) as error:
        # The libraries' own errors, too: what cannot be read is not believed.
        sys.exit(f"refused: it cannot be read: {error!r}")
    print("verified")


if __name__ == "__main__":
    main()
