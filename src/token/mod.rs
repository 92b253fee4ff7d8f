//! 6. Code → tokens → their afterlife.

pub mod code;
pub mod grant;
pub mod id_token;
pub mod userinfo;
