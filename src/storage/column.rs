//! From columns to values. What does not parse is our fault, or somebody else's hand in the
//! database: it names table, column and key.

use crate::error::Fault;
use crate::id::Id;
use crate::jose::jwks::Thumbprint;
use crate::secret::Digest;

/// A row of a table, named for the faults that reading it may bring.
pub struct Row<'a> {
    pub table: &'static str,
    pub key: &'a str,
}

impl Row<'_> {
    pub fn fault(&self, column: &'static str) -> Fault {
        Fault::Row(self.table, column, self.key.to_owned())
    }

    pub fn id<K>(&self, column: &'static str, text: &str) -> Result<Id<K>, Fault> {
        Id::parse(text).ok_or_else(|| self.fault(column))
    }

    pub fn digest<K>(&self, column: &'static str, bytes: &[u8]) -> Result<Digest<K>, Fault> {
        Digest::from_bytes(bytes).ok_or_else(|| self.fault(column))
    }
}

/// A column `dpop_jkt`.
pub fn thumbprint(table: &'static str, text: Option<&str>) -> Result<Option<Thumbprint>, Fault> {
    let read = |text| Thumbprint::parse(text).ok_or(Fault::Row(table, "dpop_jkt", String::new()));
    text.map(read).transpose()
}
