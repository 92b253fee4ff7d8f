//! Code → tokens → their afterlife (step 6).

pub mod code;
pub mod grant;
pub mod id_token;
pub mod userinfo;
