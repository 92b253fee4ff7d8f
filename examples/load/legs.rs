//! What is measured by doing it many times.

use std::sync::Arc;

use anyhow::ensure;
use tokio::sync::Mutex;

use crate::measure::{Measured, repeat};
use crate::person::{self, OFFLINE, SCOPE, Visit};
use crate::provider::World;
use crate::{Device, Options};

/// Logins from nothing to userinfo.
pub async fn logins(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let device = options.device;
    repeat(
        world,
        &world.provider,
        options.count,
        options.parallel,
        move |world, n| async move {
            let login = Visit::new(&world).log_in(n, device, SCOPE).await?;
            let tokens = person::exchange(&world, &login.code).await?;
            let claims = person::userinfo(&world, &tokens.access).await?;
            let is_right = claims["personal_number"] == login.person;
            ensure!(is_right, "another person logged in");
            Ok(())
        },
    )
    .await
}

/// How many browsers and applications come back again and again.
pub const REGULARS: usize = 32;

/// Logins by sessions.
pub async fn sso(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let mut browsers = Vec::new();
    for n in 0..REGULARS {
        browsers.push(tokio::spawn(regular(world.clone(), n)));
    }
    let mut cookies = Vec::new();
    for browser in browsers {
        cookies.push(browser.await??);
    }
    let cookies = Arc::new(cookies);
    repeat(
        world,
        &world.provider,
        options.count,
        options.parallel.min(REGULARS),
        move |world, n| {
            let cookies = cookies.clone();
            async move {
                let mut visit = Visit::again(&world, &cookies[n % REGULARS]);
                let code = visit.log_in_again().await?;
                person::exchange(&world, &code).await?;
                Ok(())
            }
        },
    )
    .await
}

async fn regular(world: Arc<World>, n: usize) -> anyhow::Result<Vec<(String, String)>> {
    let mut visit = Visit::new(&world);
    visit.log_in(n, Device::This, SCOPE).await?;
    Ok(visit.cookies())
}

async fn holders(world: &Arc<World>) -> anyhow::Result<Vec<person::Tokens>> {
    let mut applications = Vec::new();
    for n in 0..REGULARS {
        let world = world.clone();
        applications.push(tokio::spawn(async move {
            let mut visit = Visit::new(&world);
            let login = visit.log_in(n, Device::This, OFFLINE).await?;
            person::exchange(&world, &login.code).await
        }));
    }
    let mut tokens = Vec::new();
    for application in applications {
        tokens.push(application.await??);
    }
    Ok(tokens)
}

/// Refresh tokens, each for its successor.
pub async fn refresh(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let tokens = holders(world).await?.into_iter().map(Mutex::new);
    let tokens: Arc<Vec<_>> = Arc::new(tokens.collect());
    repeat(
        world,
        &world.provider,
        options.count,
        options.parallel.min(REGULARS),
        move |world, n| {
            let tokens = tokens.clone();
            async move {
                let mut held = tokens[n % REGULARS].lock().await;
                *held = person::refresh(&world, &held.refresh).await?;
                Ok(())
            }
        },
    )
    .await
}

/// Userinfo.
pub async fn userinfo(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let tokens = Arc::new(holders(world).await?);
    repeat(
        world,
        &world.provider,
        options.count,
        AT_ONCE,
        move |world, n| {
            let tokens = tokens.clone();
            async move {
                let claims = person::userinfo(&world, &tokens[n % REGULARS].access).await?;
                ensure!(claims["sub"].is_string(), "userinfo without sub");
                Ok(())
            }
        },
    )
    .await
}

/// Introspection.
pub async fn introspection(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let tokens = Arc::new(holders(world).await?);
    repeat(
        world,
        &world.provider,
        options.count,
        AT_ONCE,
        move |world, n| {
            let tokens = tokens.clone();
            async move { person::introspect(&world, &tokens[n % REGULARS].access).await }
        },
    )
    .await
}

/// What takes no time is asked by a few.
pub const AT_ONCE: usize = 16;

/// The discovery document.
pub async fn discovery(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    repeat(
        world,
        &world.provider,
        options.count,
        AT_ONCE,
        move |world, _| async move {
            let url = format!("{}/.well-known/openid-configuration", world.issuer);
            let answer = world.http.get(url).send().await?.error_for_status()?;
            ensure!(answer.bytes().await?.len() > 100, "an empty document");
            Ok(())
        },
    )
    .await
}
