//! The XML of a signature, read as the one shape that BankID writes (BankID's signature profile).
//!
//! There is no general XML here on purpose. BankID writes both signed elements and `SignedInfo` in
//! canonical form, each with its own namespace declaration, so their bytes are what was digested and
//! signed. A reader that takes these bytes literally and refuses everything else cannot be led to
//! another element than the one that was signed, which is how XML signatures are usually broken.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;

use super::{Flaw, Format, Function};

/// How an XML document may begin; it may also leave this out.
const DECLARATIONS: [&str; 2] = [
    r#"<?xml version="1.0" encoding="UTF-8" standalone="no"?>"#,
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
];
/// The root element.
pub const SIGNATURE: &str = r#"<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">"#;
/// `SignedInfo` up to the digest of the signed data. Algorithms are constants of the profile: what a
/// document says of them is compared, never followed.
pub const SIGNED_INFO: &str = concat!(
    r#"<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#">"#,
    r#"<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></CanonicalizationMethod>"#,
    r#"<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></SignatureMethod>"#,
    r##"<Reference Type="http://www.bankid.com/signature/v1.0.0/types" URI="#bidSignedData">"##,
    r#"<Transforms><Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></Transform></Transforms>"#,
    r#"<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></DigestMethod><DigestValue>"#,
);
/// `SignedInfo` between the two digests.
pub const SECOND_REFERENCE: &str = concat!(
    r##"</DigestValue></Reference><Reference URI="#bidKeyInfo">"##,
    r#"<Transforms><Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></Transform></Transforms>"#,
    r#"<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></DigestMethod><DigestValue>"#,
);
/// `SignedInfo` after the digest of the key info.
pub const SIGNED_INFO_END: &str = "</DigestValue></Reference></SignedInfo>";
/// `KeyInfo` up to the first certificate.
pub const KEY_INFO: &str =
    r#"<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#" Id="bidKeyInfo"><X509Data>"#;
/// `KeyInfo` after the last certificate.
pub const KEY_INFO_END: &str = "</X509Data></KeyInfo>";
/// The element that says what was signed.
pub const SIGNED_DATA: &str =
    r#"<bankIdSignedData xmlns="http://www.bankid.com/signature/v1.0.0/types" Id="bidSignedData">"#;
/// Its end.
pub const SIGNED_DATA_END: &str = "</bankIdSignedData>";

/// How deep elements may lie in `srvInfo` and `clientInfo`; BankID's own go four deep.
const DEPTH: usize = 8;

/// What a signature says. Every value comes from inside the two signed elements.
pub struct Document<'a> {
    /// The bytes that the signature value is over.
    pub signed_info: &'a str,
    /// The signature value.
    pub signature: Vec<u8>,
    /// Leaf, customer CA and bank CA.
    pub certificates: [CertificateDer<'static>; 3],
    /// The text that was shown, and how it was to be read.
    pub visible: Option<(Vec<u8>, Format)>,
    /// What was signed without being shown.
    pub non_visible: Option<Vec<u8>>,
    /// The relying party's subject, as written.
    pub relying_party: String,
    /// The relying party's name, as shown.
    pub display_name: String,
    /// What the person did.
    pub function: Function,
    key_info: &'a str,
    signed_data: &'a str,
    digest_of_key_info: Vec<u8>,
    digest_of_signed_data: Vec<u8>,
}

impl<'a> Document<'a> {
    /// Reads a document. Errors: [`Flaw::Shape`] with the part that is not as it must be.
    pub fn read(text: &'a str) -> Result<Document<'a>, Flaw> {
        let body = DECLARATIONS
            .iter()
            .find_map(|declaration| text.strip_prefix(declaration))
            .unwrap_or(text);
        refuse_machinery(body)?;
        let mut cursor = Cursor { rest: body };
        cursor.take(SIGNATURE, "Signature")?;

        let from = cursor.rest;
        cursor.take(SIGNED_INFO, "SignedInfo")?;
        let digest_of_signed_data = cursor.base64("DigestValue of the signed data")?;
        cursor.take(SECOND_REFERENCE, "SignedInfo")?;
        let digest_of_key_info = cursor.base64("DigestValue of the key info")?;
        cursor.take(SIGNED_INFO_END, "SignedInfo")?;
        let signed_info = cursor.since(from);

        cursor.take("<SignatureValue>", "SignatureValue")?;
        let signature = cursor.base64("SignatureValue")?;
        cursor.take("</SignatureValue>", "SignatureValue")?;

        let from = cursor.rest;
        cursor.take(KEY_INFO, "KeyInfo")?;
        let certificates = [
            cursor.certificate()?,
            cursor.certificate()?,
            cursor.certificate()?,
        ];
        cursor.take(KEY_INFO_END, "KeyInfo")?;
        let key_info = cursor.since(from);

        cursor.take("<Object>", "Object")?;
        let from = cursor.rest;
        cursor.take(SIGNED_DATA, "bankIdSignedData")?;
        let visible = cursor.visible()?;
        let non_visible = cursor.non_visible()?;
        let server = cursor.children("<srvInfo>", "</srvInfo>", "srvInfo")?;
        let client = cursor.children("<clientInfo>", "</clientInfo>", "clientInfo")?;
        cursor.take(SIGNED_DATA_END, "bankIdSignedData")?;
        let signed_data = cursor.since(from);
        cursor.take("</Object></Signature>", "Object")?;
        if !cursor.rest.is_empty() {
            return Err(Flaw::Shape("after the Signature"));
        }

        if decode(only(&server, "nonce", "srvInfo/nonce")?, "srvInfo/nonce")?.len() != 20 {
            return Err(Flaw::Shape("srvInfo/nonce"));
        }
        // Read for its shape alone: what the app says of itself proves nothing to us.
        let version = "clientInfo/version";
        decode(only(&client, "version", version)?, version)?;
        Ok(Document {
            signed_info,
            signature,
            certificates,
            visible,
            non_visible,
            relying_party: decode_text(&server, "name", "srvInfo/name")?,
            display_name: decode_text(&server, "displayName", "srvInfo/displayName")?,
            function: match only(&client, "funcId", "clientInfo/funcId")? {
                "Identification" => Function::Identification,
                "Signing" => Function::Signing,
                _ => return Err(Flaw::Shape("clientInfo/funcId")),
            },
            key_info,
            signed_data,
            digest_of_key_info,
            digest_of_signed_data,
        })
    }

    /// Whether `SignedInfo` is about these two elements. Errors: [`Flaw::SignedDataDigest`],
    /// [`Flaw::KeyInfoDigest`].
    pub fn check_digests(&self) -> Result<(), Flaw> {
        let is =
            |element: &str, written: &[u8]| digest(&SHA256, element.as_bytes()).as_ref() == written;
        if !is(self.signed_data, &self.digest_of_signed_data) {
            return Err(Flaw::SignedDataDigest);
        }
        if !is(self.key_info, &self.digest_of_key_info) {
            return Err(Flaw::KeyInfoDigest);
        }
        Ok(())
    }
}

/// Refuses all of XML that could make two readers see two documents. The shape has room for none of
/// it; it is looked for first so that the flaw says what was tried.
fn refuse_machinery(body: &str) -> Result<(), Flaw> {
    for (mark, what) in [
        ("<!DOCTYPE", "document type"),
        ("<!--", "comment"),
        ("<![CDATA[", "CDATA section"),
        ("<!", "markup declaration"),
        ("<?", "processing instruction"),
        ("&", "entity"),
    ] {
        if body.contains(mark) {
            return Err(Flaw::Shape(what));
        }
    }
    for (mark, what) in [
        ("Id=\"bidSignedData\"", "duplicate Id"),
        ("Id=\"bidKeyInfo\"", "duplicate Id"),
        ("<bankIdSignedData", "second bankIdSignedData"),
    ] {
        if body.matches(mark).count() > 1 {
            return Err(Flaw::Shape(what));
        }
    }
    if body
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
    {
        return Err(Flaw::Shape("white space or a control character"));
    }
    Ok(())
}

/// An element of `srvInfo` or `clientInfo`.
struct Element<'a> {
    name: &'a str,
    /// `None` when it holds elements.
    text: Option<&'a str>,
}

/// The text of the one child of this name.
fn only<'a>(children: &[Element<'a>], name: &str, what: &'static str) -> Result<&'a str, Flaw> {
    let mut named = children.iter().filter(|child| child.name == name);
    match (named.next().and_then(|child| child.text), named.next()) {
        (Some(text), None) => Ok(text),
        _ => Err(Flaw::Shape(what)),
    }
}

fn decode_text(children: &[Element<'_>], name: &str, what: &'static str) -> Result<String, Flaw> {
    String::from_utf8(decode(only(children, name, what)?, what)?).map_err(|_| Flaw::Shape(what))
}

/// Strict base64 of at least one byte: one way to write each value, and no white space.
fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, Flaw> {
    match STANDARD.decode(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(Flaw::Shape(what)),
    }
}

/// What is left to read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, literal: &str, what: &'static str) -> Result<(), Flaw> {
        self.rest = self.rest.strip_prefix(literal).ok_or(Flaw::Shape(what))?;
        Ok(())
    }

    fn takes(&mut self, literal: &str) -> bool {
        self.take(literal, "").is_ok()
    }

    /// What was read since `from` was the rest.
    fn since(&self, from: &'a str) -> &'a str {
        &from[..from.len() - self.rest.len()]
    }

    /// The longest beginning whose characters are all `good`.
    fn run(&mut self, good: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !good(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    fn base64(&mut self, what: &'static str) -> Result<Vec<u8>, Flaw> {
        decode(self.run(|c| c != '<'), what)
    }

    fn certificate(&mut self) -> Result<CertificateDer<'static>, Flaw> {
        let what = "X509Certificate";
        self.take("<X509Certificate>", what)?;
        let certificate = CertificateDer::from(self.base64(what)?);
        self.take("</X509Certificate>", what)?;
        Ok(certificate)
    }

    fn visible(&mut self) -> Result<Option<(Vec<u8>, Format)>, Flaw> {
        let what = "usrVisibleData";
        if !self.rest.starts_with("<usrVisibleData") {
            return Ok(None);
        }
        self.take(r#"<usrVisibleData charset="UTF-8""#, what)?;
        let format = if self.takes(r#" format="simpleMarkdownV1""#) {
            Format::SimpleMarkdown
        } else {
            self.takes(r#" format="plaintext""#);
            Format::Plain
        };
        self.take(r#" visible="wysiwys">"#, what)?;
        let data = self.base64(what)?;
        self.take("</usrVisibleData>", what)?;
        Ok(Some((data, format)))
    }

    fn non_visible(&mut self) -> Result<Option<Vec<u8>>, Flaw> {
        let what = "usrNonVisibleData";
        if !self.takes("<usrNonVisibleData>") {
            return Ok(None);
        }
        let data = self.base64(what)?;
        self.take("</usrNonVisibleData>", what)?;
        Ok(Some(data))
    }

    fn children(
        &mut self,
        begin: &str,
        end: &str,
        what: &'static str,
    ) -> Result<Vec<Element<'a>>, Flaw> {
        self.take(begin, what)?;
        let mut children = Vec::new();
        while !self.takes(end) {
            children.push(self.element(DEPTH, what)?);
        }
        Ok(children)
    }

    /// Any element, as the profile may get new ones here. Its attributes can neither name it for a
    /// reference nor change a namespace.
    fn element(&mut self, depth: usize, what: &'static str) -> Result<Element<'a>, Flaw> {
        let flaw = Flaw::Shape(what);
        self.take("<", what)?;
        let name = self.name().ok_or(flaw)?;
        while self.takes(" ") {
            let attribute = self.name().ok_or(flaw)?;
            if attribute.eq_ignore_ascii_case("id") || attribute.eq_ignore_ascii_case("xmlns") {
                return Err(flaw);
            }
            self.take("=\"", what)?;
            self.run(|c| !matches!(c, '"' | '<'));
            self.take("\"", what)?;
        }
        self.take(">", what)?;
        let text = self.run(|c| !matches!(c, '<' | '>'));
        let is_end = |rest: &str| {
            rest.strip_prefix("</")
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with('>'))
        };
        let holds_elements = !is_end(self.rest);
        if holds_elements && (!text.is_empty() || depth == 0) {
            return Err(flaw);
        }
        while !is_end(self.rest) {
            self.element(depth - 1, what)?;
        }
        self.take("</", what)?;
        self.take(name, what)?;
        self.take(">", what)?;
        Ok(Element {
            name,
            text: (!holds_elements).then_some(text),
        })
    }

    fn name(&mut self) -> Option<&'a str> {
        let name = self.run(|c| c.is_ascii_alphanumeric());
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            .then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Result<usize, Flaw> {
        let mut cursor = Cursor { rest: text };
        let children = cursor.children("<i>", "</i>", "i")?;
        assert!(cursor.rest.is_empty());
        Ok(children.len())
    }

    #[test]
    fn unknown_elements_are_read_over_when_they_are_sound() {
        for (text, count) in [
            ("<i></i>", 0),
            ("<i><a></a></i>", 1),
            ("<i><a>text åäö</a><b><c>1</c><c>2</c></b></i>", 2),
            (r#"<i><a kind="x" no="1">1</a></i>"#, 1),
            ("<i><a><a>1</a></a></i>", 1),
        ] {
            assert_eq!(elements(text), Ok(count), "{text}");
        }
        for text in [
            "<i>",
            "<i>text</i>",
            "<i><a/></i>",
            "<i><a></b></i>",
            "<i><a></ab></i>",
            "<i><a>1<b></b></a></i>",
            "<i><a><b></b>1</a></i>",
            "<i><a>1>2</a></i>",
            "<i><x:a></x:a></i>",
            "<i><1></1></i>",
            "<i>< a></ a></i>",
            r#"<i><a Id="bidSignedData"></a></i>"#,
            r#"<i><a id="1"></a></i>"#,
            r#"<i><a xmlns="urn:x"></a></i>"#,
            r#"<i><a xml:id="1"></a></i>"#,
            r#"<i><a b='1'></a></i>"#,
            r#"<i><a b="1></a></i>"#,
        ] {
            assert!(elements(text).is_err(), "{text}");
        }
        let nested = |n: usize| format!("<i>{}{}</i>", "<a>".repeat(n), "</a>".repeat(n));
        assert_eq!(elements(&nested(DEPTH + 1)), Ok(1));
        assert!(elements(&nested(DEPTH + 2)).is_err());
        assert!(elements(&nested(20_000)).is_err());
    }

    #[test]
    fn a_child_that_is_relied_on_is_there_once() {
        let child = |name, text| Element { name, text };
        let children = [
            child("a", Some("1")),
            child("b", Some("2")),
            child("b", Some("2")),
            child("c", None),
        ];
        assert_eq!(only(&children, "a", "x"), Ok("1"));
        for name in ["b", "c", "d"] {
            assert_eq!(only(&children, name, "x"), Err(Flaw::Shape("x")));
        }
    }

    #[test]
    fn base64_has_one_form() {
        assert!(decode("aGVq", "x").is_ok());
        for bad in ["", "aGV", "aGVq ", "aGVq\n", "aA", "aB==", "aG_q", "a=Vq"] {
            assert!(decode(bad, "x").is_err(), "{bad}");
        }
    }
}
