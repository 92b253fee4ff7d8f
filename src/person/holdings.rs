//! Every table of the database: whether it holds anything of people, for what, until when, and what an
//! erasure does to it. A table that is not here fails a test, and so does a line of `docs/retention.md` that
//! says otherwise.

/// A part of what is kept of a person, as they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// That they were here.
    Person,
    /// Their sessions.
    Sessions,
    /// What applications were given.
    Grants,
    /// What they approved.
    Approvals,
    /// Their logins, and those that name them.
    Logins,
    /// Requests that name them.
    Requests,
    /// What proves their logins.
    Evidence,
    /// What applications have yet to be told.
    Notices,
    /// Events that concern them.
    Audit,
    /// That they administer.
    Administration,
}

impl Part {
    /// All of them, in the order in which they are told.
    pub const ALL: [Part; 10] = [
        Part::Person,
        Part::Sessions,
        Part::Grants,
        Part::Approvals,
        Part::Logins,
        Part::Requests,
        Part::Evidence,
        Part::Notices,
        Part::Audit,
        Part::Administration,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Person => "person",
            Part::Sessions => "sessions",
            Part::Grants => "grants",
            Part::Approvals => "approvals",
            Part::Logins => "logins",
            Part::Requests => "requests",
            Part::Evidence => "evidence",
            Part::Notices => "notices",
            Part::Audit => "audit",
            Part::Administration => "administration",
        }
    }

    /// What it is kept for.
    pub fn purpose(self) -> &'static str {
        match self {
            Part::Person => {
                "each application knows a person by the same name at every login, without their number"
            }
            Part::Sessions => "whoever has just logged in need not do it again",
            Part::Grants => "an application gets what it was given by a login, and no more",
            Part::Approvals => "nobody is asked again for what they have approved",
            Part::Logins => "a login is carried through, and a late second try is recognised",
            Part::Requests => "an application can leave a request before the browser comes",
            Part::Evidence => "it can be proven later who logged in",
            Part::Notices => "applications end their own sessions, too",
            Part::Audit => "it can be found out who did what with personal data",
            Part::Administration => "it is known who may administer",
        }
    }

    /// Until when it is kept.
    pub fn until(self) -> &'static str {
        let mut holdings = HOLDINGS.iter();
        let first = holdings.find(|one| one.of_people.part() == Some(self));
        first.map_or("", |one| one.until)
    }
}

/// What a table holds of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfPeople {
    /// Nothing, but this.
    Nothing(&'static str),
    /// What an erasure removes.
    Erased(Part, &'static str),
    /// What stays, and what is done to it.
    Stays(Part, &'static str),
}

impl OfPeople {
    /// Where a person is told of it.
    pub fn part(self) -> Option<Part> {
        match self {
            OfPeople::Nothing(_) => None,
            OfPeople::Erased(part, _) | OfPeople::Stays(part, _) => Some(part),
        }
    }
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    /// Its name.
    pub table: &'static str,
    /// What is in it.
    pub of_people: OfPeople,
    /// Until when.
    pub until: &'static str,
    /// By what that is set, where it is.
    pub setting: &'static str,
}

impl Holding {
    /// As a line of the document.
    pub fn line(&self) -> String {
        let (what, erasure) = match self.of_people {
            OfPeople::Nothing(what) => (format!("nothing of people: {what}"), "stays".to_owned()),
            OfPeople::Erased(part, what) => (what.to_owned(), format!("goes, `{}`", part.as_str())),
            OfPeople::Stays(part, what) => (what.to_owned(), format!("stays, `{}`", part.as_str())),
        };
        let setting = match self.setting {
            "" => String::new(),
            setting => format!("`{setting}`"),
        };
        let (table, until) = (self.table, self.until);
        format!("| `{table}` | {what} | {until} | {setting} | {erasure} |")
    }
}

macro_rules! holdings {
    ($($table:literal, $how:ident($($of:expr),+), $until:literal, $setting:literal;)+) => {
        /// All of them, by name.
        pub const HOLDINGS: &[Holding] = &[$(Holding {
            table: $table,
            of_people: OfPeople::$how($($of),+),
            until: $until,
            setting: $setting,
        }),+];
    };
}

holdings! {
    "access_token", Erased(Part::Grants, "digests of access tokens, with their scopes and ends"),
        "24 hours after its end", "";
    "admin_session", Stays(Part::Administration, "who is logged in to administer"),
        "its end", "admin.session_lifetime";
    "administrator", Stays(Part::Administration, "what administrators are called here, and while they administer by which name they log in"),
        "as long as the installation: the audit log names them by it", "";
    "administrator_client", Stays(Part::Administration, "which clients an administrator looks after"),
        "as long as they do, or 30 days after the client was removed", "";
    "approval", Erased(Part::Approvals, "which data somebody approved for a client, and when"),
        "as long as the person and the client", "";
    "audit", Stays(Part::Audit, "what was done, with a pseudonym of the person; no pseudonym leads to anybody who was erased"),
        "what the operator decides, at least 90 days", "portvakt audit prune --keep-days";
    "audit_seal", Nothing("signatures over groups of events"),
        "as long as the installation", "";
    "audit_sealed", Nothing("digests of events"),
        "as long as the event", "portvakt audit prune --keep-days";
    "bankid_order", Erased(Part::Logins, "sealed: what was ordered, and who BankID said that it was"),
        "as long as the login; what BankID said, 10 minutes", "";
    "client", Nothing("applications, as their administrators describe them"),
        "30 days after it was removed", "";
    "client_grant", Erased(Part::Grants, "sealed: who logged in; what the client was given, and by which name it knows them"),
        "24 hours after its end", "refresh_tokens of the client";
    "client_logo", Nothing("which client has which logo"),
        "as long as the client", "";
    "client_origin", Nothing("sites of applications"),
        "as long as the client", "";
    "client_registration", Nothing("what applications said of themselves when they registered"),
        "as long as the client", "";
    "client_secret", Nothing("digests of applications' secrets"),
        "its end, or as long as the client", "";
    "client_token", Nothing("digests of tokens that applications have for themselves"),
        "24 hours after its end", "";
    "client_use", Nothing("how many logins each client had, by day"),
        "400 days", "";
    "code", Erased(Part::Grants, "digests of authorization codes"),
        "24 hours after its grant's end", "";
    "data_key", Nothing("keys, sealed by the master key"),
        "as long as anything needs it", "";
    "entitlement_request", Stays(Part::Administration, "which administrator asked that a client may have personal numbers"),
        "until it is answered", "";
    "evidence", Stays(Part::Evidence, "sealed: the person's signature, their number and what they signed, for clients that have it kept; an erasure takes it where it is asked to"),
        "the days that the client has it kept", "bankid.evidence of the client";
    "initial_access_token", Nothing("digests of tokens by which applications register"),
        "24 hours after its end", "";
    "installation", Nothing("what this database is for"),
        "as long as the installation", "";
    "invitation", Stays(Part::Administration, "digests of links by which administrators were invited"),
        "24 hours after its end", "";
    "job", Stays(Part::Notices, "that an application must be told of a session's end, with the name that it knows the person by"),
        "an hour", "";
    "lease", Nothing("which node does which work"),
        "as long as the work", "";
    "login", Erased(Part::Logins, "sealed: what was asked, from which address and by which browser"),
        "24 hours after its end, which is 13 minutes after it began", "";
    "logo", Nothing("pictures that everybody may see"),
        "24 hours after the last client let go of it", "";
    "node", Nothing("which nodes there are"),
        "24 hours after it was last heard of", "";
    "person", Erased(Part::Person, "a keyed digest of the number, a random name for it, and when they were first and last here"),
        "so many months after they were last here", "retention.person_months";
    "pushed_request", Erased(Part::Requests, "sealed: requests that applications left, which may name a person"),
        "73 minutes after its end", "";
    "refresh_token", Erased(Part::Grants, "digests of refresh tokens"),
        "as long as the grant", "refresh_tokens of the client";
    "refusal", Nothing("why requests of applications were refused"),
        "7 days", "";
    "replay", Nothing("digests of names of tokens that were used"),
        "1 minute after the token's end, for requests 73 minutes", "";
    "session", Erased(Part::Sessions, "sealed: who logged in; with which client, when, and until when"),
        "24 hours after its end", "login.session_lifetime";
    "signing_key", Nothing("keys that tokens are signed with"),
        "as long as the installation", "";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_the_table_does() {
        let _shows = crate::shows!(accepting "PV-PERSON-1", refusing "PV-PERSON-1", accepting "D5");
        let document = include_str!("../../docs/retention.md");
        let told: Vec<&str> = document
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let lines: Vec<String> = HOLDINGS.iter().map(Holding::line).collect();
        assert_eq!(told, lines, "docs/retention.md has\n{}", lines.join("\n"));
        assert!(HOLDINGS.is_sorted_by_key(|one| one.table));
        for part in Part::ALL {
            assert!(!part.until().is_empty(), "{part:?} is of no table");
            assert!(document.contains(&format!("`{}`", part.as_str())));
        }
    }
}
