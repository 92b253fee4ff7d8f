//! The table.

use super::choice::{self, Choice};
use super::{Details, Fallback, Format, Group, Kind, Setting, Text};
use crate::authorize::redirect_uri::RedirectUri;
use crate::authorize::resource::Resource;
use crate::claims::policy::{ClaimName, EmailDomain};
use crate::client::Entitlement;
use crate::client::bankid::KeepEvidence;
use crate::client::certificate::AlternativeName;
use crate::client::distinguished_name::DistinguishedName;
use crate::client::logo::Logo;
use crate::client::machine::OwnScope;
use crate::client::metadata::LONGEST_LIST;
use crate::client::origin::WebOrigin;
use crate::client::refresh::MOST_DAYS;

const fn line(format: Format, most: usize) -> Kind {
    Kind::Line(Text { most, format })
}

const fn translations(format: Format, most: usize) -> Kind {
    Kind::Translations(Text { most, format })
}

const fn lines(format: Format, most: usize) -> Kind {
    Kind::Lines {
        item: Text { most, format },
        most: LONGEST_LIST,
    }
}

const fn number(least: u32, most: u32, unit: &'static str) -> Kind {
    Kind::Number { least, most, unit }
}

const fn switch(default: bool, details: Details) -> Kind {
    Kind::Switch { default, details }
}

const fn one_of(values: &'static [Choice], default: Fallback) -> Kind {
    Kind::Choice { values, default }
}

const fn some_of(values: &'static [Choice], none: &'static str) -> Kind {
    Kind::Choices { values, none }
}

/// All that a form sets, in its order.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "client_name",
        group: Group::Basics,
        kind: line(Format::Words, 80),
        needed: true,
        label: "Name",
        explanation: "What people see when they log in, in the page and in the BankID app. Write it as people know the application. 1 to 80 characters.",
    },
    Setting {
        name: "client_names",
        group: Group::Basics,
        kind: translations(Format::Words, 80),
        needed: false,
        label: "Name, in each language",
        explanation: "What people read in its place in the languages named here, each by its tag (sv, en, fi), and in kinds of them. In every other language they read the name itself.",
    },
    Setting {
        name: "purpose.sv",
        group: Group::Basics,
        kind: line(Format::Words, 140),
        needed: true,
        label: "Purpose, in Swedish",
        explanation: "Why the application asks people to log in, shown before they do. Fill it in together with the English one, or leave both empty. Up to 140 characters.",
    },
    Setting {
        name: "purpose.en",
        group: Group::Basics,
        kind: line(Format::Words, 140),
        needed: true,
        label: "Purpose, in English",
        explanation: "The same in English. Fill it in together with the Swedish one, or leave both empty. Up to 140 characters.",
    },
    Setting {
        name: "purpose.others",
        group: Group::Basics,
        kind: translations(Format::Words, 140),
        needed: false,
        label: "Purpose, in other languages",
        explanation: "The same by the tag of each other language that the login page speaks. Without a text of its own, a language shows the English one.",
    },
    Setting {
        name: "theme.accent",
        group: Group::Basics,
        kind: line(Format::Color, 7),
        needed: false,
        label: "Colour",
        explanation: "The colour of buttons and links on the login page, as #12436d. It must be dark enough to be read on white. Empty: the provider's own.",
    },
    Setting {
        name: "theme.accent_dark",
        group: Group::Basics,
        kind: line(Format::Color, 7),
        needed: false,
        label: "Colour on dark pages",
        explanation: "The same for people whose device shows dark pages. It must be light enough to be read on black.",
    },
    Setting {
        name: "theme.logo",
        group: Group::Basics,
        kind: line(Format::Logo, Logo::LONGEST),
        needed: false,
        label: "Logo",
        explanation: "A picture (PNG, JPEG or WebP, at most 640 KiB) that stands above the login page. It is made anew, at most 640 by 240 pixels, and kept; what is told of it afterwards is its digest, which can be given as well.",
    },
    Setting {
        name: "theme.logo_dark",
        group: Group::Basics,
        kind: line(Format::Logo, Logo::LONGEST),
        needed: false,
        label: "Logo on dark pages",
        explanation: "The same for people whose device shows dark pages. Without it the logo stands on a white ground there.",
    },
    Setting {
        name: "theme.note.sv",
        group: Group::Basics,
        kind: line(Format::Words, 140),
        needed: true,
        label: "Text on the login page, in Swedish",
        explanation: "A sentence of the application's own, below the purpose. Fill it in together with the English one, or leave both empty.",
    },
    Setting {
        name: "theme.note.en",
        group: Group::Basics,
        kind: line(Format::Words, 140),
        needed: true,
        label: "Text on the login page, in English",
        explanation: "The same in English.",
    },
    Setting {
        name: "theme.note.others",
        group: Group::Basics,
        kind: translations(Format::Words, 140),
        needed: false,
        label: "Text on the login page, in other languages",
        explanation: "The same by the tag of each other language that the login page speaks.",
    },
    Setting {
        name: "theme.help_uri",
        group: Group::Basics,
        kind: line(Format::CalledUri, RedirectUri::LONGEST),
        needed: false,
        label: "Help",
        explanation: "A page (https) with help for people who cannot log in, linked from the login page.",
    },
    Setting {
        name: "theme.home_uri",
        group: Group::Basics,
        kind: line(Format::CalledUri, RedirectUri::LONGEST),
        needed: false,
        label: "First page",
        explanation: "The application's own first page (https). People are led there from a page of ours that can lead nowhere else: when a login is over, or the application asked for something that cannot be.",
    },
    Setting {
        name: "subject_type",
        group: Group::Basics,
        kind: one_of(choice::SUBJECTS, Fallback::Value("pairwise")),
        needed: false,
        label: "Subjects",
        explanation: "By which name the application knows a person. Safe: different in each sector. Change it only before the first login: afterwards the application would know nobody any more.",
    },
    Setting {
        name: "profile",
        group: Group::Basics,
        kind: one_of(choice::PROFILES, Fallback::Value("standard")),
        needed: false,
        label: "Profile",
        explanation: "Which rules hold where specifications ask for opposite things. Choose FAPI 2.0 only for an application that is built for it: all others stop working.",
    },
    Setting {
        name: "redirect_uris",
        group: Group::Addresses,
        kind: lines(Format::RedirectUri, RedirectUri::LONGEST),
        needed: false,
        label: "Redirect URIs",
        explanation: "Where answers may go, one address a line, exactly as the application sends it: a slash at the end counts. https; http on localhost or a loopback address alone; or a scheme with a dot, for an application on a phone. No wildcards. An application that nobody logs in to has none.",
    },
    Setting {
        name: "post_logout_redirect_uris",
        group: Group::Addresses,
        kind: lines(Format::RedirectUri, RedirectUri::LONGEST),
        needed: false,
        label: "Addresses after a logout",
        explanation: "Where people may be sent back to after they logged out, one address a line, compared exactly. Without any they end on a page of this provider.",
    },
    Setting {
        name: "web_origins",
        group: Group::Addresses,
        kind: lines(Format::Origin, WebOrigin::LONGEST),
        needed: false,
        label: "Sites whose scripts may call",
        explanation: "For an application whose scripts call the token endpoint, userinfo or revocation from a browser: its site, as https://app.example.se, without a path. Safe: empty. An application with a server needs none.",
    },
    Setting {
        name: "token_endpoint_auth",
        group: Group::Authentication,
        kind: one_of(choice::METHODS, Fallback::Value("client_secret")),
        needed: false,
        label: "Method",
        explanation: "How the application proves who it is when it calls this provider itself. No other method than this is taken. A key or a certificate is safer than a secret; choose a secret when the application knows nothing else.",
    },
    Setting {
        name: "token_endpoint_auth_signing_alg",
        group: Group::Authentication,
        kind: one_of(
            choice::CLIENT_ALGORITHMS,
            Fallback::Unset("Any that fits its keys"),
        ),
        needed: false,
        label: "Algorithm of its assertions",
        explanation: "The one algorithm that it signs assertions with, for the method key. Set it when you know it, so that no other is taken.",
    },
    Setting {
        name: "jwks",
        group: Group::Authentication,
        kind: Kind::Json,
        needed: false,
        label: "Public keys",
        explanation: "A JSON Web Key Set with 1 to 10 public keys, for assertions, signed requests and certificates of its own. Never a private key. Leave it empty when the application publishes its keys.",
    },
    Setting {
        name: "jwks_uri",
        group: Group::Authentication,
        kind: line(Format::CalledUri, RedirectUri::LONGEST),
        needed: false,
        label: "Address of its public keys",
        explanation: "Where the application publishes its keys, over https. It can then replace them by itself. Not together with public keys here.",
    },
    Setting {
        name: "tls_client_auth.subject_dn",
        group: Group::Authentication,
        kind: line(Format::DistinguishedName, DistinguishedName::LONGEST),
        needed: false,
        label: "Certificate: subject",
        explanation: "One of the five names in the certificate, for the method certificate of an authority. The whole subject as RFC 4514 writes it: CN=app,O=Kommunen,C=SE, the last part first, no spaces after commas.",
    },
    Setting {
        name: "tls_client_auth.san_dns",
        group: Group::Authentication,
        kind: line(Format::HostName, AlternativeName::LONGEST),
        needed: false,
        label: "Certificate: host name",
        explanation: "One of the five names in the certificate, for the method certificate of an authority. A host name among the alternative names.",
    },
    Setting {
        name: "tls_client_auth.san_uri",
        group: Group::Authentication,
        kind: line(Format::Uri, AlternativeName::LONGEST),
        needed: false,
        label: "Certificate: URI",
        explanation: "One of the five names in the certificate, for the method certificate of an authority. A URI among the alternative names, compared exactly.",
    },
    Setting {
        name: "tls_client_auth.san_ip",
        group: Group::Authentication,
        kind: line(Format::IpAddress, 45),
        needed: false,
        label: "Certificate: IP address",
        explanation: "One of the five names in the certificate, for the method certificate of an authority. An IP address among the alternative names.",
    },
    Setting {
        name: "tls_client_auth.san_email",
        group: Group::Authentication,
        kind: line(Format::Email, AlternativeName::LONGEST),
        needed: false,
        label: "Certificate: e-mail address",
        explanation: "One of the five names in the certificate, for the method certificate of an authority. An e-mail address among the alternative names, compared exactly.",
    },
    Setting {
        name: "pkce",
        group: Group::Requests,
        kind: one_of(choice::PKCE, Fallback::Value("required")),
        needed: false,
        label: "PKCE",
        explanation: "Whether every request must hold a code challenge, so that a stolen code is worth nothing. Safe: required. Accept requests without one only for an old application that cannot send it. Public clients and FAPI 2.0 always must.",
    },
    Setting {
        name: "require_pushed_authorization_requests",
        group: Group::Requests,
        kind: switch(false, Details::None),
        needed: false,
        label: "Must push its requests",
        explanation: "Whether it must leave each request here before it sends the browser, so that nobody can read or change what is asked for. Switch it on when the application does so.",
    },
    Setting {
        name: "require_signed_request_object",
        group: Group::Requests,
        kind: switch(false, Details::None),
        needed: false,
        label: "Must sign its requests",
        explanation: "Whether unsigned requests are refused. Needs its public keys. Switch it on when the application signs.",
    },
    Setting {
        name: "request_object_signing_alg",
        group: Group::Requests,
        kind: one_of(
            choice::CLIENT_ALGORITHMS,
            Fallback::Unset("Any that fits its keys"),
        ),
        needed: false,
        label: "Algorithm of its requests",
        explanation: "The one algorithm that it signs requests with. Set it when you know it, so that no other is taken.",
    },
    Setting {
        name: "response_modes",
        group: Group::Requests,
        kind: some_of(choice::RESPONSE_MODES, "Any of them"),
        needed: false,
        label: "Ways to answer",
        explanation: "In which ways its requests may be answered. Choose the signed ones alone for an application that takes no others. Safe for all others: none chosen.",
    },
    Setting {
        name: "authorization_signed_response_alg",
        group: Group::Requests,
        kind: one_of(
            choice::ALGORITHMS,
            Fallback::Unset("RS256, for FAPI 2.0 PS256"),
        ),
        needed: false,
        label: "Algorithm of signed answers",
        explanation: "What we sign answers with, where a request asks for a signed one.",
    },
    Setting {
        name: "default_max_age",
        group: Group::Requests,
        kind: number(0, u32::MAX, "seconds"),
        needed: false,
        label: "Oldest login",
        explanation: "How long ago a person may have logged in, where a request does not say it. 0 asks for a login each time. Empty: a session is good until it ends.",
    },
    Setting {
        name: "refresh_tokens",
        group: Group::Tokens,
        kind: switch(false, Details::Optional),
        needed: false,
        label: "Refresh tokens",
        explanation: "Whether the application may come back without the person, when it asks for offline_access. Safe: off. Switch it on for one that does something for a person who is away. A public client must bind its tokens to a key, too.",
    },
    Setting {
        name: "refresh_tokens.lifetime_days",
        group: Group::Tokens,
        kind: number(1, MOST_DAYS as u32, "days"),
        needed: true,
        label: "Refresh tokens end after",
        explanation: "How many days after a login the last one ends, however often it is refreshed: 1 to 365. Empty: after eight hours, a working day. As short as people can bear.",
    },
    Setting {
        name: "access_token",
        group: Group::Tokens,
        kind: one_of(choice::ACCESS_TOKENS, Fallback::Value("opaque")),
        needed: false,
        label: "Access tokens",
        explanation: "What they are made of. Safe: random. Choose JWT for services that verify tokens without asking.",
    },
    Setting {
        name: "dpop_bound_access_tokens",
        group: Group::Tokens,
        kind: switch(false, Details::None),
        needed: false,
        label: "Bound to a key (DPoP)",
        explanation: "Whether every access token is bound to a key that the application proves to have, so that a stolen token is worth nothing. Switch it on when the application can do it; others stop working.",
    },
    Setting {
        name: "tls_client_certificate_bound_access_tokens",
        group: Group::Tokens,
        kind: switch(false, Details::None),
        needed: false,
        label: "Bound to its certificate",
        explanation: "Whether every access token is bound to the certificate of its connection. Needs the provider's address for certificates. Not together with DPoP.",
    },
    Setting {
        name: "id_token_signed_response_alg",
        group: Group::Tokens,
        kind: one_of(
            choice::ALGORITHMS,
            Fallback::Unset("RS256, for FAPI 2.0 PS256"),
        ),
        needed: false,
        label: "Algorithm of ID tokens",
        explanation: "What ID tokens and logout tokens are signed with. Leave it open unless the application asks for another one.",
    },
    Setting {
        name: "resources",
        group: Group::Tokens,
        kind: lines(Format::Resource, Resource::LONGEST),
        needed: false,
        label: "Services",
        explanation: "The services that its access tokens may be for, one URI a line, as the application names them with resource. Empty: userinfo alone.",
    },
    Setting {
        name: "profile_in_id_token",
        group: Group::Claims,
        kind: switch(true, Details::None),
        needed: false,
        label: "Name in the ID token",
        explanation: "Whether name and birthdate stand in the ID token too, when the application asks for profile, or at userinfo alone. On, because many applications look nowhere else. Switch it off for one that asks userinfo: ID tokens travel further.",
    },
    Setting {
        name: "claims.preset",
        group: Group::Claims,
        kind: one_of(choice::CLAIM_PRESETS, Fallback::Value("portvakt")),
        needed: false,
        label: "Names of claims",
        explanation: "By which names it is told what it may know. Choose another row only for an application that was built for those names: what it is told stays the same.",
    },
    Setting {
        name: "claims.names.name",
        group: Group::Claims,
        kind: line(Format::ClaimName, ClaimName::LONGEST),
        needed: false,
        label: "Another name for the name",
        explanation: "In the place of name. Empty: as the row above has it.",
    },
    Setting {
        name: "claims.names.given_name",
        group: Group::Claims,
        kind: line(Format::ClaimName, ClaimName::LONGEST),
        needed: false,
        label: "Another name for given names",
        explanation: "In the place of given_name.",
    },
    Setting {
        name: "claims.names.family_name",
        group: Group::Claims,
        kind: line(Format::ClaimName, ClaimName::LONGEST),
        needed: false,
        label: "Another name for the surname",
        explanation: "In the place of family_name.",
    },
    Setting {
        name: "claims.names.birthdate",
        group: Group::Claims,
        kind: line(Format::ClaimName, ClaimName::LONGEST),
        needed: false,
        label: "Another name for the date of birth",
        explanation: "In the place of birthdate.",
    },
    Setting {
        name: "claims.names.personal_number",
        group: Group::Claims,
        kind: line(Format::ClaimName, ClaimName::LONGEST),
        needed: false,
        label: "Another name for the personal number",
        explanation: "In the place of personal_number. It gives no right to it.",
    },
    Setting {
        name: "claims.preferred_username",
        group: Group::Claims,
        kind: one_of(
            choice::USERNAMES,
            Fallback::Unset("None, but for the names of Keycloak: the subject"),
        ),
        needed: false,
        label: "User name",
        explanation: "What stands as preferred_username, for an application that insists on one. The subject is safe. A name can change, and two people can have the same.",
    },
    Setting {
        name: "claims.email_domain",
        group: Group::Claims,
        kind: line(Format::HostName, EmailDomain::LONGEST),
        needed: false,
        label: "Domain of made-up e-mail addresses",
        explanation: "BankID knows no e-mail address. For an application that insists on one, email becomes the subject at this domain, and is said not to be verified. Choose a domain of yours that receives no mail.",
    },
    Setting {
        name: "userinfo_signed_response_alg",
        group: Group::Claims,
        kind: one_of(
            choice::ALGORITHMS,
            Fallback::Unset("Plain JSON, not signed"),
        ),
        needed: false,
        label: "Userinfo is signed with",
        explanation: "Whether userinfo answers with a signed JWT, and by which algorithm. Leave it open unless the application asks for it: most take JSON alone.",
    },
    Setting {
        name: "backchannel_logout_uri",
        group: Group::Logout,
        kind: line(Format::CalledUri, RedirectUri::LONGEST),
        needed: false,
        label: "Back-channel logout",
        explanation: "An address of the application that we call when a session ends, over https. Set it when the application has one: it is the way that always works.",
    },
    Setting {
        name: "backchannel_logout_session_required",
        group: Group::Logout,
        kind: switch(false, Details::None),
        needed: false,
        label: "Back-channel logout names the session",
        explanation: "Whether it needs to be told which session ended. It always is: switch it on if the application's documentation says so.",
    },
    Setting {
        name: "frontchannel_logout_uri",
        group: Group::Logout,
        kind: line(Format::RedirectUri, RedirectUri::LONGEST),
        needed: false,
        label: "Front-channel logout",
        explanation: "A page of the application that logs people out in a frame. It must have scheme, host and port of a redirect URI. Browsers that block cookies of other sites make it fail: prefer back-channel logout.",
    },
    Setting {
        name: "frontchannel_logout_session_required",
        group: Group::Logout,
        kind: switch(false, Details::None),
        needed: false,
        label: "Front-channel logout names the session",
        explanation: "Whether that page needs to be told which session ended. It always is: switch it on if the application's documentation says so.",
    },
    Setting {
        name: "bankid.profile",
        group: Group::BankId,
        kind: line(Format::Words, 80),
        needed: false,
        label: "BankID profile",
        explanation: "The name of the relying-party certificate that orders are made with. The name in it is what people see in the app. Empty: the provider's default.",
    },
    Setting {
        name: "bankid.pin_code",
        group: Group::BankId,
        kind: switch(false, Details::None),
        needed: false,
        label: "Security code",
        explanation: "Whether people must type their security code, even where a finger or a face would do. Safe: off, unless the service asks for it.",
    },
    Setting {
        name: "bankid.mrtd",
        group: Group::BankId,
        kind: switch(false, Details::None),
        needed: false,
        label: "Passport or identity card",
        explanation: "Whether people must have a passport or identity card read by the phone. Shuts out all who have none at hand.",
    },
    Setting {
        name: "bankid.kinds",
        group: Group::BankId,
        kind: some_of(choice::KINDS, "Any of them"),
        needed: false,
        label: "Kinds of BankID",
        explanation: "Which kinds will do. None chosen: any. Each that is left out shuts people out.",
    },
    Setting {
        name: "bankid.card_reader",
        group: Group::BankId,
        kind: one_of(choice::CARD_READERS, Fallback::Unset("No demand")),
        needed: false,
        label: "Card reader",
        explanation: "What a card must be in. Only where cards alone are taken.",
    },
    Setting {
        name: "bankid.risk.moderate",
        group: Group::BankId,
        kind: one_of(choice::ON_RISK, Fallback::Value("allow")),
        needed: false,
        label: "When the risk is moderate",
        explanation: "What follows when BankID says that the risk is moderate. Asking for the security code stops some fraud and few people.",
    },
    Setting {
        name: "bankid.risk.high",
        group: Group::BankId,
        kind: one_of(choice::ON_RISK, Fallback::Value("deny")),
        needed: false,
        label: "When the risk is high",
        explanation: "What follows when BankID sees signs that somebody is between the person and the page. Safe: deny.",
    },
    Setting {
        name: "bankid.risk.unknown",
        group: Group::BankId,
        kind: one_of(choice::ON_RISK, Fallback::Value("allow")),
        needed: false,
        label: "When the risk is unknown",
        explanation: "What follows when BankID could not tell. It often cannot: what is asked for here, many people are asked for.",
    },
    Setting {
        name: "bankid.return",
        group: Group::BankId,
        kind: one_of(choice::RETURNS, Fallback::Value("cookie")),
        needed: false,
        label: "Where the app must come back",
        explanation: "In which browser a login on the same device goes on. Safe: the browser that began.",
    },
    Setting {
        name: "bankid.devices",
        group: Group::BankId,
        kind: one_of(choice::DEVICES, Fallback::Value("both")),
        needed: false,
        label: "Devices",
        explanation: "Which devices people may use. This device alone stops somebody who shows another person a code.",
    },
    Setting {
        name: "bankid.evidence.keep_days",
        group: Group::BankId,
        kind: number(1, KeepEvidence::MOST_DAYS as u32, "days"),
        needed: true,
        label: "Keep evidence for",
        explanation: "For how many days the signed proof of each identification is verified and kept, sealed: 1 to 3660. Empty: none is kept. Keep it only where somebody may have to prove a login later.",
    },
    Setting {
        name: "client_credentials",
        group: Group::Machine,
        kind: switch(false, Details::Object),
        needed: false,
        label: "Tokens for itself",
        explanation: "Whether the application is given access tokens for itself, without a person (client_credentials). Safe: off. Not for public clients.",
    },
    Setting {
        name: "client_credentials.scopes",
        group: Group::Machine,
        kind: lines(Format::Scope, OwnScope::LONGEST),
        needed: false,
        label: "Scopes for itself",
        explanation: "What it may ask for then, one scope a line: names of your own services, none of those that speak of a person. Empty: tokens without scope.",
    },
    Setting {
        name: "introspects",
        group: Group::Machine,
        kind: switch(false, Details::None),
        needed: false,
        label: "Resource server",
        explanation: "Whether it may ask what other clients' access tokens are worth. Switch it on for a service that takes them.",
    },
    Setting {
        name: "serves",
        group: Group::Machine,
        kind: lines(Format::Resource, Resource::LONGEST),
        needed: false,
        label: "Asks as these services",
        explanation: "The services that it is, one URI a line: it is told of tokens for these. Empty: of tokens for userinfo.",
    },
    Setting {
        name: "introspection_signed_response_alg",
        group: Group::Machine,
        kind: one_of(
            choice::ALGORITHMS,
            Fallback::Unset("RS256, for FAPI 2.0 PS256"),
        ),
        needed: false,
        label: "Algorithm of what it is told",
        explanation: "What we sign with, where it asks for a signed answer about a token.",
    },
];

/// The right to personal numbers, which is given on a page of its own.
pub const ENTITLEMENT: &[Setting] = &[
    Setting {
        name: "personal_number.purpose",
        group: Group::PersonalNumber,
        kind: line(Format::Words, Entitlement::LONGEST),
        needed: true,
        label: "Why personal numbers are needed",
        explanation: "The law asks for a reason (3 kap. 10 § lagen 2018:218): what the application needs them for, and why nothing less will do. Without it the application is never told a personal number.",
    },
    Setting {
        name: "personal_number.expires_at",
        group: Group::PersonalNumber,
        kind: Kind::Number {
            least: 0,
            most: u32::MAX,
            unit: "seconds since 1970",
        },
        needed: false,
        label: "Until when",
        explanation: "From then on the application is told no personal number any more, until somebody decides again. Without it the right lasts until somebody ends it.",
    },
];
