//! Ports that stay one test's. The system gives out a port again as soon as nobody listens on it: to another
//! test, or to a connection that leads elsewhere. A node that is to come back to its place might then find it
//! taken. So ports are taken from below those that the system gives out, and none is given out twice.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Linux gives out those from 32768 by itself (`ip_local_port_range`), other systems higher ones.
const OURS: Range<u16> = 16_384..32_768;

static GIVEN: AtomicU16 = AtomicU16::new(0);

/// Listens on a port that no other test has, or will have.
pub fn listener() -> (TcpListener, u16) {
    // Another run beside this one begins elsewhere.
    let first = std::process::id().wrapping_mul(977);
    for _ in OURS {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let size = u32::from(OURS.end - OURS.start);
        let step = first.wrapping_add(u32::from(given)) % size;
        let port = OURS.start + u16::try_from(step).expect("less than the range");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return (listener, port);
        }
    }
    panic!("no port is free");
}

/// The same for a runtime's listener.
pub fn awaited() -> (tokio::net::TcpListener, u16) {
    let (listener, port) = listener();
    listener.set_nonblocking(true).expect("set");
    let listener = tokio::net::TcpListener::from_std(listener);
    (listener.expect("on a runtime"), port)
}

/// A port that nobody listens on yet.
pub fn free() -> u16 {
    let (_, port) = listener();
    port
}
