//! Every page and state that a person can meet, each with how a browser comes there by real means.
//! What is looked at is looked at on all of them.

mod administration;
mod axe;
mod choosing;
mod code;
mod doors;
mod failing;
mod phone;
mod pictures;
mod scanning;
mod sound;
pub mod stage;
mod working;

use std::pin::Pin;

use stage::{Stage, Tongue};

/// How many things of first importance there are to press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// One: something is to be done here, and it stands out.
    One,
    /// One at most: the person waits, or goes on elsewhere.
    OneAtMost,
    /// Any number: no page of a login.
    Any,
}

/// One page in one state.
pub struct State {
    pub name: String,
    pub asks: Asks,
    reach: Box<dyn Reach>,
}

/// Leads a stage's browser somewhere.
trait Reach {
    fn lead<'a>(&'a self, stage: &'a Stage) -> Pin<Box<dyn Future<Output = ()> + 'a>>;
}

impl<F: AsyncFn(&Stage)> Reach for F {
    fn lead<'a>(&'a self, stage: &'a Stage) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(self(stage))
    }
}

fn state(name: &str, asks: Asks, reach: impl AsyncFn(&Stage) + 'static) -> State {
    State {
        name: name.to_owned(),
        asks,
        reach: Box::new(reach),
    }
}

/// States that one browser visits in one language.
#[derive(Clone, Copy)]
pub struct Wing {
    pub name: &'static str,
    pub tongue: Tongue,
    pub states: fn() -> Vec<State>,
}

const fn wing(name: &'static str, tongue: Tongue, states: fn() -> Vec<State>) -> Wing {
    Wing {
        name,
        tongue,
        states,
    }
}

/// The whole gallery. What is for people speaks their language; the simulator, the sample application
/// and the administration speak English.
pub const WINGS: &[Wing] = &[
    wing("choosing", Tongue::Sv, choosing::states),
    wing("choosing", Tongue::En, choosing::states),
    wing("scanning", Tongue::Sv, scanning::states),
    wing("scanning", Tongue::En, scanning::states),
    wing("working", Tongue::Sv, working::states),
    wing("working", Tongue::En, working::states),
    wing("failing", Tongue::Sv, failing::states),
    wing("failing", Tongue::En, failing::states),
    wing("doors", Tongue::Sv, doors::states),
    wing("doors", Tongue::En, doors::states),
    wing("phone", Tongue::En, phone::states),
    wing("administration", Tongue::En, administration::states),
];

/// Walks through a wing, and stops at each state for as long as `look` takes.
pub async fn walk(wing: &Wing, look: impl AsyncFn(&Stage, &State)) {
    let stage = Stage::start(wing.tongue).await;
    for state in (wing.states)() {
        stage.clear().await;
        state.reach.lead(&stage).await;
        stage.settle().await;
        look(&stage, &state).await;
    }
}
