//! What measurements are told apart by: words of our own or of BankID's, from lists that are known. Nothing of a
//! person is among them, and nothing that a peer could fill memory with.

use prometheus_client::encoding::EncodeLabelSet;

use crate::bankid::client::Failure;
use crate::error::Fault;
use crate::token::GrantType;

/// Label sets, each a struct whose members are the labels.
macro_rules! label_sets {
    ($($name:ident { $($label:ident: $type:ty),+ })+) => {
        $(#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
        pub(super) struct $name {
            $(pub $label: $type),+
        })+
    };
}

label_sets! {
    Answer { operation: &'static str, outcome: &'static str }
    Operation { operation: &'static str }
    Hint { hint: &'static str }
    End { status: &'static str, hint: &'static str }
    ByClient { client: String }
    Login { client: String, outcome: &'static str }
    Outcome { outcome: &'static str }
    Kind { kind: &'static str }
    Issued { grant_type: &'static str, kind: &'static str }
    Refusal { endpoint: &'static str, error: &'static str }
    Profile { profile: String }
    Signs { algorithm: &'static str }
    Purpose { purpose: &'static str }
    Request { route: &'static str, status: &'static str }
    Routed { route: &'static str }
    Class { class: &'static str }
    State { state: &'static str }
    Build { version: &'static str, database: &'static str, bankid: &'static str }
}

/// What BankID is asked for.
pub(super) const OPERATIONS: [&str; 3] = ["auth", "collect", "cancel"];

/// What becomes of a question to BankID besides its errors.
pub(super) const OUTCOMES: [&str; 4] = ["ok", "unreachable", "unreadable", "not_asked"];

/// What an order that waits says of itself; others are `other`.
pub(super) const PENDING: &[&str] = &[
    "outstandingTransaction",
    "noClient",
    "started",
    "userMrtd",
    "userCallConfirm",
    "userSign",
    "processing",
];

/// The reasons for an order's failure that are counted by name; others are `other`.
pub(super) const FAILED: &[&str] = &[
    "expiredTransaction",
    "certificateErr",
    "userCancel",
    "cancelled",
    "startFailed",
    "userDeclinedCall",
    "notSupportedByUserApp",
    "mrtdVerificationFailed",
    "facialRecognitionFailed",
    "nfcNotSupportedByDevice",
    "multipleBankIdsOnDevice",
    "stepUpFailed",
    "transactionRiskBlocked",
];

/// The errors that are counted by name; others are `other`.
pub(super) const ERRORS: &[&str] = &[
    "alreadyInProgress",
    "invalidParameters",
    "unauthorized",
    "notFound",
    "methodNotAllowed",
    "requestTimeout",
    "unsupportedMediaType",
    "tooManyRequests",
    "internalError",
    "maintenance",
];

/// What a word is counted as that is on no list.
pub(super) const OTHER: &str = "other";

/// How logins end.
pub(super) const LOGIN_OUTCOMES: [&str; 6] = [
    "finished",
    "session",
    "cancelled",
    "other_person",
    "unproven",
    "not_allowed",
];

/// What came of a try to tell a client of a logout.
pub(super) const NOTICES: [&str; 3] = ["heard", "postponed", "given_up"];

/// What may be shown once.
pub(super) const REUSED: [&str; 2] = ["code", "refresh_token"];

/// What turns requests away because there are too many.
pub(super) const LIMITS: [&str; 9] = [
    "logins_at_once",
    "tokens_at_once",
    "pages_at_once",
    "others_at_once",
    "logins_per_address",
    "orders",
    "bankid_rests",
    "registrations_per_address",
    "client_secret",
];

/// Which tokens come of which grant.
pub(super) const ISSUED: [(GrantType, &[&str]); 3] = [
    (
        GrantType::AuthorizationCode,
        &["access_token", "id_token", "refresh_token"],
    ),
    (
        GrantType::RefreshToken,
        &["access_token", "id_token", "refresh_token"],
    ),
    (GrantType::ClientCredentials, &["access_token"]),
];

/// What fails on our side.
pub(super) const FAULTS: [&str; 7] = [
    "no_connection",
    "database_away",
    "database",
    "data",
    "bankid",
    "panic",
    OTHER,
];

/// Statuses, by their first digit.
pub(super) const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A word of a list, or that it is on none.
pub(super) fn known(list: &[&'static str], word: &str) -> &'static str {
    list.iter().find(|known| **known == word).unwrap_or(&OTHER)
}

/// What became of a question to BankID.
pub(super) fn outcome<T>(answer: &Result<T, Failure>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(Failure::Unreachable(_)) => "unreachable",
        Err(Failure::Unreadable(_)) => "unreadable",
        Err(Failure::Resting | Failure::Crowded) => "not_asked",
        Err(Failure::Refused { code, .. }) => known(ERRORS, code),
    }
}

/// What failed on our side.
pub(super) fn fault(fault: &Fault) -> &'static str {
    match fault {
        Fault::Database(sqlx::Error::PoolTimedOut) => "no_connection",
        Fault::Database(_) if fault.passes() => "database_away",
        Fault::Database(_) => "database",
        Fault::Row(..) | Fault::Sealed(..) | Fault::KeysUnknown => "data",
        Fault::BankId(_) => "bankid",
        Fault::Panicked => "panic",
        Fault::NoProfile | Fault::Console | Fault::Signing(_) => OTHER,
    }
}

/// Routes are counted by what they are for.
macro_rules! routes {
    ($($name:ident = $word:literal: $($pattern:pat_param)|+,)+) => {
        /// What a request is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Route {
            $(#[doc = $word] $name),+
        }
        impl Route {
            /// All of them.
            pub const ALL: &'static [Route] = &[$(Route::$name),+];

            /// The word that it is counted by.
            pub fn word(self) -> &'static str {
                match self { $(Route::$name => $word),+ }
            }

            /// By the pattern of its address.
            #[allow(unreachable_patterns)]
            pub fn of(pattern: Option<&str>) -> Route {
                match pattern.unwrap_or_default() { $($($pattern)|+ => Route::$name),+ }
            }
        }
    };
}

routes! {
    Discovery = "discovery": "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server",
    Jwks = "jwks": "/jwks",
    Register = "register": "/register" | "/register/{id}",
    Par = "par": "/par",
    Authorize = "authorize": "/authorize" | "/authorize/continue",
    Begin = "login_begin": "/login",
    Page = "login_page": "/login/{id}" | "/login/{id}/returned" | "/login/{id}/left" | "/login/{id}/language",
    Events = "login_events": "/login/{id}/events" | "/login/{id}/status",
    Order = "login_order": "/login/{id}/order",
    Return = "login_return": "/login/{id}/return" | "/login/{id}/confirm" | "/r/{nonce}",
    Cancel = "login_cancel": "/login/{id}/cancel",
    Finish = "login_finish": "/login/{id}/finish",
    Token = "token": "/token",
    Userinfo = "userinfo": "/userinfo",
    Introspect = "introspect": "/introspect",
    Revoke = "revoke": "/revoke",
    Logout = "logout": "/logout" | "/logout/continue" | "/logout/confirm",
    Picture = "asset": "/static/{name}" | "/picture/{name}" | "/logo/{name}",
    // Addresses begin with a slash: these match none. Where the administration listens, all is counted as one of them.
    Admin = "admin": "admin",
    AdminApi = "admin_api": "admin_api",
    Other = "other": _,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_apart_by_who_must_act() {
        let database = |error| fault(&Fault::Database(error));
        assert_eq!(database(sqlx::Error::PoolTimedOut), "no_connection");
        assert_eq!(database(sqlx::Error::PoolClosed), "database_away");
        assert_eq!(database(sqlx::Error::RowNotFound), "database");
        assert_eq!(fault(&Fault::Sealed("a", "b")), "data");
        assert_eq!(fault(&Fault::BankId(Failure::Resting)), "bankid");
        for word in [
            "no_connection",
            "database_away",
            "database",
            "data",
            "bankid",
            "panic",
        ] {
            assert!(FAULTS.contains(&word), "{word}");
        }
    }

    #[test]
    fn every_place_of_a_route_is_its_own() {
        for (n, route) in Route::ALL.iter().enumerate() {
            assert_eq!(*route as usize, n);
        }
        assert_eq!(Route::of(Some("/login/{id}/finish")), Route::Finish);
        assert_eq!(Route::of(Some("/wp-admin")), Route::Other);
        assert_eq!(Route::of(None), Route::Other);
    }
}
