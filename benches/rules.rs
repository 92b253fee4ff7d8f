//! What the rules on the way of a login cost, each by itself.
//!
//!     cargo bench --bench rules

use std::collections::BTreeSet;

use divan::Bencher;
use portvakt::authorize::request::{AuthorizationRequest, Parameters};
use portvakt::authorize::{Policy, admit};
use portvakt::bankid::order::OrderTokens;
use portvakt::bankid::qr;
use portvakt::claims::policy::ClaimPolicy;
use portvakt::claims::release::{Claim, Identity, Release};
use portvakt::client::Client;
use portvakt::clock::Timestamp;
use portvakt::id::{ClientId, Id};
use portvakt::jose::algorithm::Algorithm;
use portvakt::jose::jwks::Jwks;
use portvakt::jose::key::{NewKey, SigningKey};
use portvakt::random::Random;
use portvakt::secret::{Key, Place, Sealer};
use portvakt::token::grant::Grant;
use portvakt::token::{id_token, userinfo};
use serde_json::json;

fn main() {
    portvakt::cli::install_crypto();
    divan::main();
}

const ISSUER: &str = "https://login.example.se";
const ACR: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
const NOW: Timestamp = Timestamp(1_800_000_000);
const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];

fn client() -> Client {
    let metadata = json!({
        "client_name": "Sample", "redirect_uris": ["https://app.example.se/callback"],
    });
    Client {
        client_id: ClientId::parse("sample").expect("an id"),
        sector: "app.example.se".to_owned(),
        metadata: serde_json::from_value(metadata).expect("a registration"),
    }
}

fn request() -> Parameters {
    let pairs = [
        ("response_type", "code"),
        ("client_id", "sample"),
        ("redirect_uri", "https://app.example.se/callback"),
        ("scope", "openid profile"),
        ("state", "kJ0pYqzVn6tJt2hV4yq2Gg"),
        ("nonce", "l7sVwE0nHqQ3b1Yw1u3uQA"),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
        (
            "claims",
            r#"{"id_token":{"https://id.oidc.se/claim/personalIdentityNumber":null}}"#,
        ),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Parameters::from_pairs(pairs.map(owned))
}

fn admitted(raw: &Parameters, client: &Client, policy: &Policy) -> AuthorizationRequest {
    let Ok(request) = admit(raw, client, policy, &|_| None) else {
        panic!("the request is as it should be");
    };
    request
}

fn policy() -> Policy {
    Policy {
        issuer: ISSUER.to_owned(),
        acr: ACR.to_owned(),
    }
}

fn grant(random: &Random) -> Grant {
    let delivered = json!({"user": {
        "personalNumber": "199003042397", "name": "Karin Öhman", "givenName": "Karin",
        "surname": "Öhman",
    }});
    let delivered = serde_json::from_value(delivered).expect("as BankID delivers it");
    let session = portvakt::session::Session {
        id: Id::fresh(random),
        person: Id::fresh(random),
        identity: Identity::of(&delivered),
        auth_time: NOW,
        txn: Id::fresh(random),
        expires_at: NOW,
    };
    let key = Key::fresh(random);
    let (client, request) = (client(), request());
    let request = admitted(&request, &client, &policy());
    Grant::of(&request, &client, &session, &key, random, NOW)
}

/// An authorization request, by all rules.
#[divan::bench]
fn admit_a_request(bencher: Bencher<'_, '_>) {
    let (raw, client, policy) = (request(), client(), policy());
    bencher.bench(|| admitted(&raw, &client, &policy));
}

/// What a client may know, from what it asked for.
#[divan::bench]
fn decide_what_is_released(bencher: Bencher<'_, '_>) {
    let (raw, client) = (request(), client());
    let request = admitted(&raw, &client, &policy());
    bencher.bench(|| -> BTreeSet<Claim> { Release::decide(&request, &client).all() });
}

/// The claims of an ID token.
#[divan::bench]
fn claims_of_an_id_token(bencher: Bencher<'_, '_>) {
    let (grant, policy) = (grant(&Random::system()), ClaimPolicy::default());
    bencher.bench(|| id_token::claims(&grant, &policy, ISSUER, ACR, "hash".to_owned(), NOW));
}

/// The claims of userinfo.
#[divan::bench]
fn claims_of_userinfo(bencher: Bencher<'_, '_>) {
    let (grant, policy) = (grant(&Random::system()), ClaimPolicy::default());
    bencher.bench(|| userinfo::claims(&grant, &policy));
}

fn key(algorithm: Algorithm) -> SigningKey {
    let made = NewKey::make(algorithm).expect("a key");
    SigningKey::parse(algorithm, &made.pkcs8).expect("a key of its algorithm")
}

/// An ID token's signature, with its JSON.
#[divan::bench(args = ALGORITHMS)]
fn sign(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let (key, grant) = (key(algorithm), grant(&Random::system()));
    let policy = ClaimPolicy::default();
    let claims = id_token::claims(&grant, &policy, ISSUER, ACR, "hash".to_owned(), NOW);
    bencher.bench(|| key.sign("JWT", &claims).expect("signed"));
}

/// What a client signed, by its registered keys, which are read anew each time.
#[divan::bench(args = ALGORITHMS)]
fn verify(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let key = key(algorithm);
    let claims = json!({"iss": "sample", "sub": "sample", "aud": ISSUER, "exp": NOW.0 + 60});
    let claims = claims.as_object().expect("an object");
    let token = key.sign("JWT", claims).expect("signed");
    let jwks = Jwks::parse(json!({"keys": [key.jwk]})).expect("a set of keys");
    bencher.bench(|| jwks.verify(&token, None).expect("it holds"));
}

fn tokens() -> OrderTokens {
    OrderTokens {
        order_ref: "131daac9-16c6-4618-beb0-365768f37288".to_owned(),
        auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".to_owned(),
        qr_start_token: "67df3917-fa0d-44e5-b327-edcc928297f8".to_owned(),
        qr_start_secret: "d28db9a7-4cde-429e-a983-359be676944c".to_owned(),
    }
}

/// The frame of a second as the page draws it.
#[divan::bench]
fn frame_of_a_code(bencher: Bencher<'_, '_>) {
    let tokens = tokens();
    bencher.bench(|| {
        qr::Picture::of(&qr::frame(&tokens, 17))
            .expect("it fits")
            .modules()
    });
}

const PLACE: Place<'static> = Place {
    table: "login",
    column: "asked",
    row: "131daac9-16c6-4618-beb0-365768f37288",
};

/// Two kilobytes, about what a login's row seals.
#[divan::bench]
fn seal(bencher: Bencher<'_, '_>) {
    let random = Random::system();
    let sealer = Sealer::new(1, &Key::fresh(&random));
    let plain = [b'a'; 2048];
    bencher.bench(|| sealer.seal(PLACE, &plain, &random));
}

/// The same, opened.
#[divan::bench]
fn open(bencher: Bencher<'_, '_>) {
    let random = Random::system();
    let sealer = Sealer::new(1, &Key::fresh(&random));
    let sealed = sealer.seal(PLACE, &[b'a'; 2048], &random);
    bencher.bench(|| sealer.open(PLACE, &sealed).expect("it opens"));
}
