//! Binds tests to requirements.

/// Placeholder until the recorder lands.
#[macro_export]
macro_rules! shows {
    ($($kind:ident $id:literal),+ $(,)?) => {
        ()
    };
}
