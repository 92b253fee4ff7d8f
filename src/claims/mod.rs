//! What the client may know (step 5 of a login): what it asked for ([`request`]), what of it is
//! released ([`release`]), by which names it is told ([`policy`]), and the name that it knows the person by
//! ([`subject`]).

pub mod policy;
pub mod release;
pub mod request;
pub mod subject;
