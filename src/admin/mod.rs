//! What an operator can do, besides serving.

pub mod evidence;
