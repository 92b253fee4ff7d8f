//! What can go wrong, sorted by who must act.

use std::fmt;

use thiserror::Error;

use crate::bankid::client::Cause;
use crate::client::mistake::Reason;

/// Either the other side's doing or ours.
#[derive(Debug)]
pub enum Error {
    /// The other side asked for what it may not have. Not logged as an error.
    Refused(Refusal),
    /// Ours, or the world's. Logged once, where the request is answered.
    Fault(Fault),
}

/// A request that is turned down, in the words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A registered error code, for instance `invalid_grant` (RFC 6749 §5.2).
    pub code: Code,
    /// For the client's developer: printable ASCII without `"` and `\` (RFC 6749 §4.1.2.1), what
    /// was wrong and never whose.
    pub description: &'static str,
    /// The exact mistake, for whoever looks after the client; the client is not told. None where it
    /// made none.
    pub reason: Option<Reason>,
}

impl Refusal {
    /// A refusal with its code and its reason.
    pub const fn new(code: Code, description: &'static str) -> Refusal {
        Refusal {
            code,
            description,
            reason: None,
        }
    }

    /// The same for a mistake of the client's.
    pub const fn because(self, reason: Reason) -> Refusal {
        Refusal {
            code: self.code,
            description: self.description,
            reason: Some(reason),
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// The registered error codes that we use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name),+ }
        impl Code {
            /// The code as it goes over the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),+ }
            }
        }
    };
}

codes! {
    /// RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1.
    InvalidRequest = "invalid_request",
    /// RFC 6749 §5.2.
    InvalidClient = "invalid_client",
    /// RFC 6749 §5.2.
    InvalidGrant = "invalid_grant",
    /// RFC 6749 §4.1.2.1.
    InvalidScope = "invalid_scope",
    /// RFC 6750 §3.1.
    InvalidToken = "invalid_token",
    /// RFC 6750 §3.1.
    InsufficientScope = "insufficient_scope",
    /// RFC 8707 §2.
    InvalidTarget = "invalid_target",
    /// RFC 9449 §5.
    InvalidDpopProof = "invalid_dpop_proof",
    /// RFC 6749 §4.1.2.1.
    AccessDenied = "access_denied",
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType = "unsupported_response_type",
    /// RFC 6749 §5.2.
    UnauthorizedClient = "unauthorized_client",
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType = "unsupported_token_type",
    /// RFC 6749 §5.2.
    UnsupportedGrantType = "unsupported_grant_type",
    /// RFC 6749 §4.1.2.1.
    ServerError = "server_error",
    /// RFC 6749 §4.1.2.1.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// OpenID Connect Core §3.1.2.6.
    LoginRequired = "login_required",
    /// OpenID Connect Core §3.1.2.6.
    ConsentRequired = "consent_required",
    /// OpenID Connect Core §3.1.2.6.
    RequestNotSupported = "request_not_supported",
    /// RFC 9101 §7.
    InvalidRequestObject = "invalid_request_object",
    /// OpenID Connect Core §3.1.2.6.
    RequestUriNotSupported = "request_uri_not_supported",
    /// OpenID Connect Core §3.1.2.6.
    RegistrationNotSupported = "registration_not_supported",
    /// RFC 7591 §3.2.2.
    InvalidRedirectUri = "invalid_redirect_uri",
    /// RFC 7591 §3.2.2.
    InvalidClientMetadata = "invalid_client_metadata",
    /// RFC 7591 §3.2.2.
    InvalidSoftwareStatement = "invalid_software_statement",
    /// RFC 7591 §3.2.2.
    UnapprovedSoftwareStatement = "unapproved_software_statement",
    /// OpenID Connect Unmet Authentication Requirements §3.
    UnmetAuthenticationRequirements = "unmet_authentication_requirements",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that should not have happened, or a part of the world that failed. Its text is for
/// the operator and holds no personal data and no secret.
#[derive(Debug, Error)]
pub enum Fault {
    /// The database did not answer as it should.
    #[error("database: {}", scrubbed(.0))]
    Database(#[from] sqlx::Error),
    /// A row that does not mean anything.
    #[error("the row {2} of {0} has an unreadable {1}")]
    Row(&'static str, &'static str, String),
    /// A sealed value that does not open with the keys at hand.
    #[error("{0}.{1} does not open: wrong master key, or the value was tampered with")]
    Sealed(&'static str, &'static str),
    /// Others may use keys of the database that this node does not know.
    #[error("this node does not know the newest keys of the database")]
    KeysUnknown,
    /// BankID could not be asked, or gave an answer that means nothing.
    #[error("BankID: {0}")]
    BankId(#[from] crate::bankid::client::Failure),
    /// A client is bound to a BankID profile that the configuration no longer has.
    #[error("the client's BankID profile is not configured")]
    NoProfile,
    /// The administration is a client of its own provider, which did not answer as it should.
    #[error("the administration cannot log anybody in at its own provider")]
    Console,
    /// A request's work ended by a panic, which is logged where it happened.
    #[error("a request ended by a panic")]
    Panicked,
    /// A signature could not be made.
    #[error("the signing key {0} does not sign")]
    Signing(String),
}

impl Fault {
    /// Whether it is the world's and passes: the same request may be answered in a moment.
    pub fn passes(&self) -> bool {
        match self {
            Fault::Database(error) => is_away(error),
            Fault::KeysUnknown => true,
            Fault::BankId(failure) => failure.cause() == Cause::BankId,
            _ => false,
        }
    }
}

/// Whether the database cannot be reached or has no room, and not whether it was asked wrongly.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| is_code_of_absence(&code)),
        _ => false,
    }
}

/// PostgreSQL's classes 08 (no connection), 40 (given up in favour of others, again and again), 53 (no room: disk, memory, connections) and 57P (shut down, or not
/// up yet); SQLite's BUSY, LOCKED, IOERR, FULL and CANTOPEN, which are the low byte of their extended codes.
fn is_code_of_absence(code: &str) -> bool {
    match code.len() {
        5 => ["08", "40", "53", "57P"]
            .iter()
            .any(|class| code.starts_with(class)),
        _ => code
            .parse::<u32>()
            .is_ok_and(|code| [5, 6, 10, 13, 14].contains(&(code & 0xff))),
    }
}

/// A database's message may quote the values of a row ("Key (number_index)=(…) already exists"):
/// only its code and the names in it are told.
fn scrubbed(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(e) if matches!(e.code().as_deref(), Some("13" | "53100")) => {
            "the disk is full".to_owned()
        }
        sqlx::Error::Database(e) => format!(
            "error {} (constraint {})",
            e.code().as_deref().unwrap_or("unknown"),
            e.constraint().unwrap_or("none")
        ),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} cannot be read"),
        sqlx::Error::Io(e) => format!("connection: {}", e.kind()),
        sqlx::Error::PoolTimedOut => "no free connection in time".to_owned(),
        sqlx::Error::PoolClosed => "the pool is closed".to_owned(),
        sqlx::Error::Tls(_) => "TLS failed".to_owned(),
        sqlx::Error::RowNotFound => "a row is missing".to_owned(),
        _ => "failed".to_owned(),
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Fault(fault)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        Error::Fault(error.into())
    }
}

impl From<crate::bankid::client::Failure> for Error {
    fn from(failure: crate::bankid::client::Failure) -> Error {
        Error::Fault(failure.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_was_asked_wrongly() {
        for (code, passes) in [
            ("08006", true),
            ("40001", true),
            ("53100", true),
            ("53300", true),
            ("57P01", true),
            ("57P02", true),
            ("57P03", true),
            ("57014", false),
            ("23505", false),
            ("42P01", false),
            ("5", true),
            ("13", true),
            ("14", true),
            // IOERR_WRITE and IOERR_SHMSIZE.
            ("778", true),
            ("4874", true),
            // CONSTRAINT_UNIQUE and CORRUPT.
            ("2067", false),
            ("11", false),
        ] {
            assert_eq!(is_code_of_absence(code), passes, "{code}");
        }
        assert!(Fault::Database(sqlx::Error::PoolTimedOut).passes());
        assert!(!Fault::Database(sqlx::Error::RowNotFound).passes());
        assert!(!Fault::Panicked.passes());
    }
}
