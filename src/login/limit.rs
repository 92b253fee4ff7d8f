//! How many logins may begin, and how many orders may be made: orders cost money, and one caller must
//! not use up what all the others need. Who is over a limit is asked to wait, and not turned away.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use governor::clock::Clock as Ticking;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use crate::clock::{Clock, Seconds, Timestamp};
use crate::id::ClientId;

/// Limits, each for a minute, with as much at once as a minute allows.
#[derive(Clone, Debug)]
pub struct Budget {
    /// New logins from one address; for IPv6, from one network of 64 bits. Silent renewals are not
    /// counted.
    pub logins_per_address: NonZeroU32,
    /// Networks from which many people come by few addresses: they are not limited by address.
    pub large_networks: Vec<IpNet>,
    /// Orders for one client.
    pub orders_per_client: NonZeroU32,
    /// Orders in all, by this node.
    pub orders: NonZeroU32,
}

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, Ticks, NoOpMiddleware<Duration>>;
type Direct = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// Keeps count.
pub struct Limits {
    budget: Option<Budget>,
    addresses: Keyed<IpAddr>,
    registrations: Keyed<IpAddr>,
    clients: Keyed<ClientId>,
    all: Direct,
    clock: Clock,
    last_alarm: AtomicI64,
    last_forgot: AtomicI64,
}

/// Our clock, as the library wants one.
#[derive(Clone)]
struct Ticks(Clock);

impl Ticking for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.moment().0).unwrap_or_default())
    }
}

/// How many addresses are remembered before those that are quiet are forgotten.
const ADDRESSES: usize = 50_000;
/// How often an address may come to register or to manage clients, with whatever token: nobody has so many
/// clients, and each token that is tried is looked up.
const REGISTRATIONS_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
const FORGET_INTERVAL: Seconds = Seconds(60);
/// How often the log says that a limit holds people up.
const ALARM_INTERVAL: Seconds = Seconds(10);

impl Limits {
    /// Limits by a budget; without one there are none.
    pub fn new(budget: Option<Budget>, clock: &Clock) -> Limits {
        let most = NonZeroU32::MAX;
        let per_minute =
            |pick: fn(&Budget) -> NonZeroU32| Quota::per_minute(budget.as_ref().map_or(most, pick));
        let ticks = || Ticks(clock.clone());
        Limits {
            addresses: RateLimiter::new(
                per_minute(|b| b.logins_per_address),
                HashMapStateStore::default(),
                ticks(),
            ),
            registrations: RateLimiter::new(
                Quota::per_minute(REGISTRATIONS_PER_ADDRESS),
                HashMapStateStore::default(),
                ticks(),
            ),
            clients: RateLimiter::new(
                per_minute(|b| b.orders_per_client),
                HashMapStateStore::default(),
                ticks(),
            ),
            all: RateLimiter::new(per_minute(|b| b.orders), InMemoryState::default(), ticks()),
            budget,
            clock: clock.clone(),
            last_alarm: AtomicI64::new(i64::MIN),
            last_forgot: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether another login may begin from an address.
    pub fn admit_login(&self, ip: IpAddr) -> bool {
        let Some(budget) = &self.budget else {
            return true;
        };
        if budget.large_networks.iter().any(|net| net.contains(&ip)) {
            return true;
        }
        self.forget_quiet_addresses();
        self.or_alarm(self.addresses.check_key(&network(ip)).is_ok(), "address")
    }

    /// Whether an address may come to register or to manage a client.
    pub fn admit_registration(&self, ip: IpAddr) -> bool {
        if self.budget.is_none() {
            return true;
        }
        self.forget_quiet_addresses();
        let admitted = self.registrations.check_key(&network(ip)).is_ok();
        self.or_alarm(admitted, "registrations by address")
    }

    /// Now and then, and not at each call: that would make a flood from many addresses a slow one.
    fn forget_quiet_addresses(&self) {
        let now = self.clock.now();
        let last = Timestamp(self.last_forgot.load(Ordering::Relaxed));
        let known = self.addresses.len() + self.registrations.len();
        if now >= last + FORGET_INTERVAL && known > ADDRESSES {
            self.last_forgot.store(now.0, Ordering::Relaxed);
            self.addresses.retain_recent();
            self.registrations.retain_recent();
        }
    }

    /// Whether another order may be made for a client.
    pub fn admit_order(&self, client: &ClientId) -> bool {
        if self.budget.is_none() {
            return true;
        }
        let client = self.clients.check_key(client).is_ok();
        self.or_alarm(client, "client") && self.or_alarm(self.all.check().is_ok(), "all orders")
    }

    fn or_alarm(&self, admitted: bool, limit: &str) -> bool {
        if !admitted {
            let now = self.clock.now();
            let last = Timestamp(self.last_alarm.load(Ordering::Relaxed));
            if now >= last + ALARM_INTERVAL {
                self.last_alarm.store(now.0, Ordering::Relaxed);
                tracing::warn!(limit, "people are asked to wait: a limit is reached");
            }
        }
        admitted
    }
}

/// What is counted as one caller.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => {
            let upper = u128::from(v6) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(upper))
        }
        IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(clock: &Clock) -> Limits {
        let ten = NonZeroU32::new(10).expect("not zero");
        let budget = Budget {
            logins_per_address: ten,
            large_networks: vec!["10.0.0.0/8".parse().expect("a network")],
            orders_per_client: ten,
            orders: NonZeroU32::new(15).expect("not zero"),
        };
        Limits::new(Some(budget), clock)
    }

    #[test]
    fn one_address_does_not_use_up_what_others_need() {
        let _shows = crate::shows!(accepting "B13", refusing "B13");
        let clock = Clock::system();
        let limits = limits(&clock);
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let admitted = |address: &str, times: usize| {
            (0..times)
                .filter(|_| limits.admit_login(ip(address)))
                .count()
        };
        assert_eq!(admitted("192.0.2.1", 1000), 10);
        assert_eq!(admitted("192.0.2.2", 5), 5, "another address");
        assert_eq!(
            admitted("10.1.2.3", 1000),
            1000,
            "a network that many share"
        );
        assert_eq!(admitted("2001:db8::1", 8), 8);
        assert_eq!(admitted("2001:db8::2", 8), 2, "the same network");
        assert_eq!(admitted("2001:db8:0:1::2", 8), 8, "the next one");
        clock.advance(Duration::from_secs(60));
        assert_eq!(admitted("192.0.2.1", 1000), 10, "a minute later");
    }

    #[test]
    fn nobody_tries_tokens_without_end() {
        let _shows = crate::shows!(accepting "RG-07", refusing "RG-07");
        let clock = Clock::system();
        let limits = limits(&clock);
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let admitted = |address: &str| {
            (0..1000)
                .filter(|_| limits.admit_registration(ip(address)))
                .count()
        };
        assert_eq!(admitted("192.0.2.1"), 60);
        assert_eq!(admitted("10.1.2.3"), 60, "wherever it comes from");
        assert!(limits.admit_login(ip("192.0.2.1")), "people log in");
        clock.advance(Duration::from_secs(60));
        assert_eq!(admitted("192.0.2.1"), 60);
    }

    #[test]
    fn one_client_does_not_use_up_what_others_need() {
        let clock = Clock::system();
        let limits = limits(&clock);
        let client = |text: &str| ClientId::parse(text).expect("an id");
        let admitted = |name: &str| {
            (0..100)
                .filter(|_| limits.admit_order(&client(name)))
                .count()
        };
        assert_eq!(admitted("a"), 10);
        assert_eq!(admitted("b"), 5, "and all of them have one budget");
        let none = Limits::new(None, &clock);
        assert!((0..1000).all(|_| none.admit_order(&client("a"))));
    }
}
