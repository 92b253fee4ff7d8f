//! Randomness, as an argument: everything that must not be guessed is drawn from a [`Random`].

use std::fmt;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A source of unpredictable bytes. Clones share one source.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// The operating system's source, by way of the cryptographic library.
    pub fn system() -> Random {
        Random(Source::System)
    }

    /// A repeatable sequence, for tests: the same seed gives the same bytes in the same order.
    pub fn seeded(seed: u64) -> Random {
        Random(Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(
            seed,
        )))))
    }

    /// `N` fresh bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => aws_lc_rs::rand::fill(&mut bytes)
                .expect("the operating system always has randomness once it has started"),
            Source::Seeded(rng) => rng
                .lock()
                .expect("no holder of this lock can panic")
                .fill_bytes(&mut bytes),
        }
        bytes
    }

    /// A random UUID (RFC 9562 §5.4).
    pub fn uuid(&self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        assert_eq!(
            Random::seeded(7).bytes::<16>(),
            Random::seeded(7).bytes::<16>()
        );
        assert_ne!(
            Random::system().bytes::<16>(),
            Random::system().bytes::<16>()
        );
    }
}
