//! What the client may know (step 5 of a login): what it asked for ([`request`]), what of it is
//! released ([`release`]), and the name that it knows the person by ([`subject`]).

pub mod release;
pub mod request;
pub mod subject;
