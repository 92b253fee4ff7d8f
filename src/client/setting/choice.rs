//! The values of settings that are chosen from a list.

/// One value of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As it is written.
    pub value: &'static str,
    /// What it is called on a form.
    pub label: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn choice(value: &'static str, label: &'static str, meaning: &'static str) -> Choice {
    Choice {
        value,
        label,
        meaning,
    }
}

pub(super) const PROFILES: &[Choice] = &[
    choice(
        "standard",
        "OpenID Connect",
        "The usual rules. Right for almost every application.",
    ),
    choice(
        "fapi2",
        "FAPI 2.0 Security Profile",
        "Stricter rules, for applications that are built for them: keys or certificates instead of secrets, pushed requests, bound tokens.",
    ),
];

pub(super) const SUBJECTS: &[Choice] = &[
    choice(
        "pairwise",
        "Different in each sector",
        "Applications of different sectors cannot find out that they have the same user.",
    ),
    choice(
        "public",
        "The same everywhere",
        "All clients with this value know a person by the same subject.",
    ),
];

pub(super) const METHODS: &[Choice] = &[
    choice(
        "client_secret",
        "Secret, in the header or in the form",
        "Works with almost every application.",
    ),
    choice(
        "client_secret_basic",
        "Secret, in the header alone",
        "HTTP Basic.",
    ),
    choice(
        "client_secret_post",
        "Secret, in the form alone",
        "client_id and client_secret are sent in the body.",
    ),
    choice(
        "private_key_jwt",
        "Key",
        "It signs an assertion. No secret is shared, so that none can leak from here. Needs its public keys.",
    ),
    choice(
        "tls_client_auth",
        "Certificate of an authority",
        "It shows a certificate that a trusted authority issued. Needs the name in the certificate.",
    ),
    choice(
        "self_signed_tls_client_auth",
        "Certificate of its own",
        "It shows a certificate whose key is registered. Needs its public keys.",
    ),
    choice(
        "none",
        "Not at all",
        "A public client: an application in a browser or on a phone, which can keep no secret. PKCE is always required.",
    ),
];

pub(super) const PKCE: &[Choice] = &[
    choice(
        "required",
        "Required",
        "A request without a code challenge is refused.",
    ),
    choice(
        "accepted",
        "Accepted",
        "A request may come without one. A stolen code is then protected by the client's secret alone.",
    ),
];

pub(super) const ACCESS_TOKENS: &[Choice] = &[
    choice(
        "opaque",
        "Random",
        "They say nothing to whoever holds them, and are worth nothing from the moment of a logout.",
    ),
    choice(
        "jwt",
        "JWT",
        "A service can verify them itself, but learns of no logout until they end, after five minutes.",
    ),
];

/// What we sign with.
pub(super) const ALGORITHMS: &[Choice] = &[
    choice(
        "RS256",
        "RS256",
        "RSA. Every library knows it. Not for FAPI 2.0.",
    ),
    choice("PS256", "PS256", "RSA with PSS padding."),
    choice("ES256", "ES256", "ECDSA on P-256. Short and quick."),
    choice("EdDSA", "EdDSA", "Ed25519. Short and quick."),
];

/// What clients sign with.
pub(super) const CLIENT_ALGORITHMS: &[Choice] = &[
    choice("RS256", "RS256", "RSA. Not for FAPI 2.0."),
    choice("PS256", "PS256", "RSA with PSS padding."),
    choice("ES256", "ES256", "ECDSA on P-256."),
    choice("ES384", "ES384", "ECDSA on P-384. Not for FAPI 2.0."),
    choice("EdDSA", "EdDSA", "Ed25519."),
];

pub(super) const RESPONSE_MODES: &[Choice] = &[
    choice(
        "query",
        "Query",
        "In the query of the address, as is usual.",
    ),
    choice(
        "fragment",
        "Fragment",
        "Behind the #, which no server sees: for applications that are scripts.",
    ),
    choice("form_post", "Form", "In a form that the browser posts."),
    choice("jwt", "Signed", "The same as query.jwt."),
    choice("query.jwt", "Signed, in the query", "One signed parameter."),
    choice(
        "fragment.jwt",
        "Signed, in the fragment",
        "One signed parameter behind the #.",
    ),
    choice(
        "form_post.jwt",
        "Signed, in a form",
        "One signed parameter in a form.",
    ),
];

pub(super) const KINDS: &[Choice] = &[
    choice("mobile", "On a phone", "Mobile BankID."),
    choice("file", "In a file", "BankID on file, on a computer."),
    choice("card", "On a card", "BankID on a smart card."),
];

pub(super) const CARD_READERS: &[Choice] = &[
    choice(
        "class1",
        "Any reader",
        "The code may be typed on the computer's keyboard.",
    ),
    choice(
        "class2",
        "A reader with keys",
        "The code is typed on the reader.",
    ),
];

pub(super) const ON_RISK: &[Choice] = &[
    choice("allow", "Allow", "The person is logged in."),
    choice(
        "require_pin",
        "Ask for the security code",
        "The person identifies again and types the code.",
    ),
    choice(
        "require_mrtd",
        "Ask for a passport",
        "The person identifies again and has a passport or identity card read by the phone.",
    ),
    choice("deny", "Deny", "Nobody is logged in."),
];

pub(super) const RETURNS: &[Choice] = &[
    choice(
        "cookie",
        "The browser that began",
        "It is known by its cookie. Whoever is sent somebody else's link logs nobody in.",
    ),
    choice(
        "cookie_or_same_address",
        "That, or another browser at the same address",
        "Somebody then confirms in the browser that began. Only for people who are alone at their address.",
    ),
    choice(
        "danger_no_return",
        "Nowhere (dangerous)",
        "Whoever began is logged in when somebody approves. An attacker can send their link to another person.",
    ),
];

pub(super) const DEVICES: &[Choice] = &[
    choice(
        "both",
        "This device and others",
        "The app is opened here, or a code is scanned.",
    ),
    choice(
        "this_only",
        "This device alone",
        "No code is shown, so none can be shown to somebody else. People without the app on this device cannot log in.",
    ),
];

pub(super) const CLAIM_PRESETS: &[Choice] = &[
    choice(
        "portvakt",
        "OpenID Connect",
        "name, given_name, family_name, birthdate and personal_number.",
    ),
    choice(
        "minimal",
        "OpenID Connect, at userinfo alone",
        "The same names. The ID token says nothing of the person but the subject.",
    ),
    choice(
        "keycloak",
        "Keycloak",
        "The same names, preferred_username with the subject, and session_state beside the tokens, by which Keycloak finds a session.",
    ),
    choice(
        "swedish",
        "Swedish OpenID Connect profile",
        "https://id.oidc.se/claim/personalIdentityNumber, or …/coordinationNumber.",
    ),
    choice(
        "signicat",
        "Signicat",
        "nin, nin_type and nin_issuing_country.",
    ),
    choice(
        "idura",
        "Idura (formerly Criipto)",
        "ssn, country, identityscheme, and givenname and surname besides.",
    ),
];

pub(super) const USERNAMES: &[Choice] = &[
    choice(
        "subject",
        "Subject",
        "The name that the application knows the person by.",
    ),
    choice("name", "Name", "Where the application is told it."),
    choice(
        "personal_number",
        "Personal number",
        "Where the application has the right to it and asks for it.",
    ),
];
