//! The applications, each with its facts.

use super::inputs::{Ask, Shape};
use super::{Addresses, Application, Preset};
use crate::client::method::{Authentication, Method};
use crate::jose::algorithm::Algorithm;

const NAME: Ask = Ask {
    name: "client_name",
    label: "Name",
    explanation: "What people see when they log in.",
    example: "E-tjänster",
    default: None,
    shape: Shape::Words,
};

const fn address(explanation: &'static str, example: &'static str) -> Ask {
    Ask {
        name: "address",
        label: "Address of the application",
        explanation,
        example,
        default: None,
        shape: Shape::Address,
    }
}

const APPLICATION: Ask = address(
    "As people type it, without anything after it.",
    "https://app.example.se",
);

/// What the application calls us, which stands in the address that it is answered at.
const fn called(name: &'static str, label: &'static str, explanation: &'static str) -> Ask {
    Ask {
        name,
        label,
        explanation,
        example: "bankid",
        default: Some("bankid"),
        shape: Shape::Segment,
    }
}

const fn path(default: &'static str) -> Ask {
    Ask {
        name: "path",
        label: "Path that answers go to",
        explanation: "A path of the application that nothing else is at.",
        example: default,
        default: Some(default),
        shape: Shape::Path,
    }
}

const fn lines(
    name: &'static str,
    label: &'static str,
    explanation: &'static str,
    example: &'static str,
) -> Ask {
    Ask {
        name,
        label,
        explanation,
        example,
        default: Some(""),
        shape: Shape::Lines,
    }
}

/// By a secret, in one way or the other.
const EITHER: &[Method] = &[Method::ClientSecretBasic, Method::ClientSecretPost];

/// What libraries verify that came before Ed25519.
const NOT_EDDSA: &[Algorithm] = &[Algorithm::RS256, Algorithm::PS256, Algorithm::ES256];

/// All applications that there are settings for.
pub const PRESETS: &[Preset] = &[
    Preset {
        application: Application::Keycloak,
        id: "keycloak",
        name: "Keycloak",
        what: "Keycloak brokers BankID logins to its own clients.",
        asks: &[
            NAME,
            address(
                "Keycloak's address up to where /realms begins.",
                "https://sso.example.se",
            ),
            Ask {
                name: "realm",
                label: "Realm",
                explanation: "The realm whose people log in.",
                example: "kommunen",
                default: None,
                shape: Shape::Segment,
            },
            called(
                "alias",
                "Alias",
                "What the identity provider is called in the realm. It stands in the redirect URI.",
            ),
        ],
        notes: &[
            "Whoever has a BankID gets an account in the realm. Who may do what is for Keycloak's roles and its applications to say.",
            "BankID knows no e-mail address. At a first login Keycloak asks people for theirs, unless e-mail is optional in the realm's user profile, or Review Profile is disabled in the flow \"first broker login\". The realm of deploy/keycloak/realm.json asks nobody.",
            "\"Backchannel logout\" of the identity provider stays off: it would have Keycloak's server call the logout page, which needs the person's browser. Logouts that begin here reach Keycloak at its own back-channel address, which is registered; it finds the session by claims.preset = keycloak alone.",
            "For personal numbers, entitle the client: these settings then ask for them and keep them as the attribute personal_number, which must be in the realm's user profile.",
        ],
        addresses: Addresses {
            callbacks: &["{address}/realms/{realm}/broker/{alias}/endpoint"],
            after_logout: &["{address}/realms/{realm}/broker/{alias}/endpoint/logout_response"],
            back_channel: Some(
                "{address}/realms/{realm}/protocol/openid-connect/logout/backchannel-logout",
            ),
        },
        authentication: Authentication::ClientSecretPost,
        methods: &[Method::ClientSecretPost, Method::ClientSecretBasic],
        algorithms: &Algorithm::ALL,
        pushes: false,
    },
    Preset {
        application: Application::Spring,
        id: "spring",
        name: "Spring Boot",
        what: "An application in Java or Kotlin with Spring Security's OAuth 2.0 client.",
        asks: &[
            NAME,
            APPLICATION,
            called(
                "registration",
                "Registration id",
                "What the registration is called in the application's properties.",
            ),
        ],
        notes: &[
            "Whoever has a BankID is authenticated: authenticated() lets everybody in. Who may do what is for the application to say.",
            "Back-channel logout is there from Spring Security 6.2 on.",
            "Behind a proxy, set server.forward-headers-strategy, or the application takes itself to be somewhere else.",
        ],
        addresses: Addresses {
            callbacks: &["{address}/login/oauth2/code/{registration}"],
            after_logout: &["{address}"],
            back_channel: Some("{address}/logout/connect/back-channel/{registration}"),
        },
        authentication: Authentication::ClientSecretBasic,
        methods: EITHER,
        // Others need a bean of their own.
        algorithms: &[Algorithm::RS256],
        pushes: false,
    },
    Preset {
        application: Application::AspNetCore,
        id: "aspnetcore",
        name: "ASP.NET Core",
        what: "An application in .NET 8 or later with the OpenID Connect handler.",
        asks: &[NAME, APPLICATION],
        notes: &[
            "Whoever has a BankID is authenticated: [Authorize] by itself lets everybody in. Who may do what is for the application to say.",
            "The handler knows no back-channel logout: sessions of the application end by its own rules.",
            "Behind a proxy, use the forwarded headers middleware, or the application asks for a redirect URI with http.",
        ],
        addresses: Addresses {
            callbacks: &["{address}/signin-oidc"],
            after_logout: &["{address}/signout-callback-oidc"],
            back_channel: None,
        },
        authentication: Authentication::ClientSecretPost,
        methods: &[Method::ClientSecretPost],
        algorithms: NOT_EDDSA,
        // From .NET 9 on.
        pushes: true,
    },
    Preset {
        application: Application::AuthJs,
        id: "authjs",
        name: "Auth.js",
        what: "An application in Next.js with Auth.js 5 (NextAuth).",
        asks: &[
            NAME,
            APPLICATION,
            called(
                "provider",
                "Provider id",
                "What the provider is called in the application: letters, digits and hyphens.",
            ),
        ],
        notes: &[
            "Whoever has a BankID gets a session: that there is one lets everybody in. Who may do what is for the application to say.",
            "user.email is empty: BankID knows no e-mail address. A database adapter must allow that.",
            "Auth.js ends its own session alone when somebody logs out.",
        ],
        addresses: Addresses {
            callbacks: &["{address}/api/auth/callback/{provider}"],
            after_logout: &[],
            back_channel: None,
        },
        authentication: Authentication::ClientSecretBasic,
        methods: EITHER,
        // Others must be named where the provider is.
        algorithms: &[Algorithm::RS256],
        pushes: false,
    },
    Preset {
        application: Application::OAuth2Proxy,
        id: "oauth2-proxy",
        name: "oauth2-proxy",
        what: "A proxy that logs people in before any application behind it.",
        asks: &[NAME, APPLICATION],
        notes: &[
            "oauth2-proxy wants an e-mail address, which BankID does not know. With oidc_email_claim = \"sub\" it takes the subject in its place, and does not look for email_verified; insecure_oidc_allow_unverified_email is not needed.",
            "email_domains = [\"*\"] lets everybody in who has a BankID. Name subjects in authenticated_emails_file instead to let in only some.",
        ],
        addresses: Addresses {
            callbacks: &["{address}/oauth2/callback"],
            after_logout: &[],
            back_channel: None,
        },
        // It finds out by trying.
        authentication: Authentication::ClientSecret,
        methods: EITHER,
        algorithms: &Algorithm::ALL,
        pushes: false,
    },
    Preset {
        application: Application::ModAuthOpenidc,
        id: "mod_auth_openidc",
        name: "mod_auth_openidc",
        what: "A site that Apache serves or passes on.",
        asks: &[NAME, APPLICATION, path("/oidc/redirect_uri")],
        notes: &[
            "Require valid-user lets everybody in who has a BankID. Name subjects (Require claim sub:…) in its place to let in only some.",
            "The path that answers go to must be within what is protected, and nothing may be there.",
            "A logout begins at that path with ?logout= and the address to go to afterwards.",
        ],
        addresses: Addresses {
            callbacks: &["{address}{path}"],
            after_logout: &["{address}/"],
            back_channel: Some("{address}{path}?logout=backchannel"),
        },
        authentication: Authentication::ClientSecretBasic,
        methods: EITHER,
        algorithms: &Algorithm::ALL,
        pushes: false,
    },
    Preset {
        application: Application::Grafana,
        id: "grafana",
        name: "Grafana",
        what: "Dashboards, by generic OAuth.",
        asks: &[
            NAME,
            address(
                "Grafana's root_url, without a slash at its end.",
                "https://grafana.example.se",
            ),
        ],
        notes: &[
            "Grafana refuses people without an e-mail address, which BankID does not know: email_attribute_path takes the subject in its place.",
            "Whoever has a BankID gets an account with the role that auto_assign_org_role says. With allow_sign_up = false only those who have one get in.",
        ],
        addresses: Addresses {
            callbacks: &["{address}/login/generic_oauth"],
            after_logout: &["{address}/login"],
            back_channel: None,
        },
        authentication: Authentication::ClientSecretBasic,
        methods: EITHER,
        algorithms: &Algorithm::ALL,
        pushes: false,
    },
    Preset {
        application: Application::GitLab,
        id: "gitlab",
        name: "GitLab",
        what: "GitLab 15.9 or later on a server of your own, installed from its Linux package.",
        asks: &[
            NAME,
            address(
                "GitLab's external_url, without a slash at its end.",
                "https://gitlab.example.se",
            ),
        ],
        notes: &[
            "BankID knows no e-mail address and no user name: the subject becomes the user name, GitLab makes a temporary address of it, and asks people for theirs when they first come.",
            "Accounts are made blocked, for an administrator to approve, because everybody with a BankID can ask for one.",
        ],
        addresses: Addresses {
            callbacks: &["{address}/users/auth/openid_connect/callback"],
            after_logout: &[],
            back_channel: None,
        },
        authentication: Authentication::ClientSecretBasic,
        methods: EITHER,
        algorithms: NOT_EDDSA,
        pushes: false,
    },
    Preset {
        application: Application::Nextcloud,
        id: "nextcloud",
        name: "Nextcloud",
        what: "Nextcloud with its app user_oidc.",
        asks: &[
            NAME,
            address(
                "Nextcloud's address, without /index.php.",
                "https://moln.example.se",
            ),
            called(
                "provider",
                "Identifier",
                "What the provider is called in Nextcloud.",
            ),
        ],
        notes: &[
            "BankID knows no e-mail address: people add theirs in Nextcloud.",
            "Whoever has a BankID gets an account, unless auto_provision is switched off in Nextcloud's config.php.",
        ],
        addresses: Addresses {
            // Which of the two it is depends on how its addresses are rewritten.
            callbacks: &[
                "{address}/apps/user_oidc/code",
                "{address}/index.php/apps/user_oidc/code",
            ],
            after_logout: &["{address}/"],
            back_channel: Some("{address}/index.php/apps/user_oidc/backchannel-logout/{provider}"),
        },
        authentication: Authentication::ClientSecretPost,
        // The first of both that our metadata name, which it prefers.
        methods: &[Method::ClientSecretPost],
        algorithms: &[Algorithm::RS256],
        pushes: false,
    },
    Preset {
        application: Application::SinglePage,
        id: "single-page",
        name: "Single-page application",
        what: "Scripts in a browser, without a server of their own.",
        asks: &[NAME, APPLICATION, path("/callback")],
        notes: &[
            "Whoever has a BankID can log in. Who may do what is for the services that it calls to say.",
            "It keeps no secret and proves by PKCE that a code is its own. An application that has a server should leave the tokens there.",
            "It gets no refresh tokens, unless it binds its tokens to a key (DPoP).",
        ],
        addresses: Addresses {
            callbacks: &["{address}{path}"],
            after_logout: &["{address}/"],
            back_channel: None,
        },
        authentication: Authentication::None,
        methods: &[Method::None],
        algorithms: &Algorithm::ALL,
        pushes: false,
    },
    Preset {
        application: Application::Native,
        id: "native",
        name: "Native application",
        what: "An application on a phone, with AppAuth or its like.",
        asks: &[
            NAME,
            Ask {
                name: "scheme",
                label: "Scheme of its own",
                explanation: "A domain name of yours turned around, which the application answers to on the phone.",
                example: "se.example.app",
                default: None,
                shape: Shape::Scheme,
            },
        ],
        notes: &[
            "Whoever has a BankID can log in. Who may do what is for the services that it calls to say.",
            "It keeps no secret and proves by PKCE that a code is its own. Open the login in the system's browser, never in a view of the application's own.",
            "An https address that the system opens the application for (App Links, Universal Links) is safer than a scheme: register it as a redirect URI beside this one.",
        ],
        addresses: Addresses {
            callbacks: &["{scheme}:/oauth2redirect"],
            after_logout: &["{scheme}:/logout"],
            back_channel: None,
        },
        authentication: Authentication::None,
        methods: &[Method::None],
        algorithms: &Algorithm::ALL,
        pushes: false,
    },
    Preset {
        application: Application::Machine,
        id: "machine",
        name: "Machine",
        what: "A program that calls services in its own name, without people.",
        asks: &[
            NAME,
            lines(
                "client_credentials.scopes",
                "Scopes",
                "What it may ask for, one a line. Empty: tokens without scope.",
                "orders:read",
            ),
            lines(
                "resources",
                "Services",
                "The services that its tokens may be for, one URI a line.",
                "https://api.example.se",
            ),
        ],
        notes: &["A token lasts for five minutes, and there is no refresh token: ask again."],
        addresses: Addresses {
            callbacks: &[],
            after_logout: &[],
            back_channel: None,
        },
        authentication: Authentication::ClientSecretBasic,
        methods: EITHER,
        algorithms: &Algorithm::ALL,
        pushes: false,
    },
    Preset {
        application: Application::Other,
        id: "other",
        name: "Another application",
        what: "Anything that speaks OpenID Connect.",
        asks: &[
            NAME,
            Ask {
                name: "redirect_uris",
                label: "Redirect URIs",
                explanation: "Where the application is answered, one address a line, exactly as it sends them.",
                example: "https://app.example.se/callback",
                default: None,
                shape: Shape::Lines,
            },
            lines(
                "post_logout_redirect_uris",
                "Addresses after a logout",
                "Where people may be sent back to after they logged out, one address a line.",
                "https://app.example.se/",
            ),
        ],
        notes: &[
            "Whoever has a BankID can log in. Who may do what is for the application to say.",
            "Most libraries need nothing but the issuer, the client id and the secret: they find the rest.",
        ],
        addresses: Addresses {
            callbacks: &[],
            after_logout: &[],
            back_channel: None,
        },
        authentication: Authentication::ClientSecret,
        methods: &Method::ALL,
        algorithms: &Algorithm::ALL,
        pushes: true,
    },
];
