//! Binds tests to the requirements of `docs/requirements.md`. A test that passes writes down which
//! ids it showed; `./test` compares them with the list.

#[cfg(feature = "simulator")]
pub mod certificates;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Says what a test shows: `let _shows = shows!(accepting "AU-13", refusing "AU-02");`. It is
/// written down when the test ends, unless it ends by a panic.
#[macro_export]
macro_rules! shows {
    ($($side:ident $id:literal),+ $(,)?) => {
        $crate::testing::Shows(&[$((stringify!($side), $id)),+])
    };
}

/// The guard that [`shows!`](crate::shows) makes.
#[must_use = "bind it: `let _shows = shows!(…)`"]
#[derive(Debug)]
pub struct Shows(
    /// Each side with its id.
    pub &'static [(&'static str, &'static str)],
);

impl Drop for Shows {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let lines: String = self
            .0
            .iter()
            .map(|(side, id)| format!("{side} {id}\n"))
            .collect();
        record("requirements", &lines);
    }
}

/// Notes a secret or a person's data that was seen, so that `./test` can look for it in the logs.
pub fn canary(text: &str) {
    if text.len() >= 6 {
        record("canaries", &format!("{text}\n"));
    }
}

/// Appends to this process's file in a folder of the record, when there is one.
fn record(folder: &str, lines: &str) {
    let Some(directory) = std::env::var_os("PORTVAKT_TEST_RECORD") else {
        return;
    };
    let folder = Path::new(&directory).join(folder);
    std::fs::create_dir_all(&folder).expect("the record can be written");
    let file = folder.join(std::process::id().to_string());
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .expect("the record can be written");
    file.write_all(lines.as_bytes())
        .expect("the record can be written");
}

/// Somebody else's keys, made for a test, and what they sign.
#[derive(Debug)]
pub struct Signer {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Signer {
    /// Keys that nobody has yet.
    #[expect(clippy::new_without_default, reason = "they differ each time")]
    pub fn new() -> Signer {
        Signer {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"),
            ed25519: Ed25519KeyPair::generate().expect("a key"),
        }
    }

    /// The public keys, named `rsa`, `ec`, `p384` and `ed`.
    pub fn jwks(&self) -> Value {
        let rsa = self.rsa.public_key();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let ec = |kid: &str, curve: &str, key: &EcdsaKeyPair| {
            // A byte that says what follows, and then both coordinates.
            let (x, y) = {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                (part(x), part(y))
            };
            json!({"kty": "EC", "crv": curve, "kid": kid, "x": x, "y": y})
        };
        json!({"keys": [
            {
                "kty": "RSA", "kid": "rsa", "use": "sig",
                "n": part(rsa.modulus().big_endian_without_leading_zero()),
                "e": part(rsa.exponent().big_endian_without_leading_zero()),
            },
            ec("ec", "P-256", &self.p256),
            ec("p384", "P-384", &self.p384),
            {
                "kty": "OKP", "crv": "Ed25519", "kid": "ed",
                "x": part(self.ed25519.public_key().as_ref()),
            },
        ]})
    }

    /// The public key for an algorithm, without a name.
    pub fn jwk(&self, alg: &str) -> Value {
        let at = match alg {
            "RS256" | "PS256" => 0,
            "ES256" => 1,
            "ES384" => 2,
            _ => 3,
        };
        let mut key = self.jwks()["keys"][at].take();
        key.as_object_mut().expect("a key").remove("kid");
        key
    }

    /// Signs by the header's own `alg`.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let rsa = |padding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let random = SystemRandom::new();
            self.rsa
                .sign(padding, &random, message.as_bytes(), &mut signature)
                .expect("signed");
            signature
        };
        let ec = |key: &EcdsaKeyPair| {
            let signed = key.sign(&SystemRandom::new(), message.as_bytes());
            signed.expect("signed").as_ref().to_vec()
        };
        let signature = match header["alg"].as_str() {
            Some("RS256") => rsa(&RSA_PKCS1_SHA256),
            Some("PS256") => rsa(&RSA_PSS_SHA256),
            Some("ES256") => ec(&self.p256),
            Some("ES384") => ec(&self.p384),
            Some("EdDSA") => self.ed25519.sign(message.as_bytes()).as_ref().to_vec(),
            _ => Vec::new(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
