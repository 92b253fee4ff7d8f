//! The code as a camera sees it: read from pictures of the screen, by a decoder that is not ours.

use std::time::Duration;

use portvakt::bankid::qr;
use portvakt::id::{Id, kind};
use portvakt::login::Login;
use portvakt::shows;

use super::pictures::WIDTHS;
use super::stage::{Stage, on_a_stage};
use crate::support::chromium::is_there;
use crate::support::devtools::Scheme;
use crate::support::phone::TOLVAN;

/// Every text that codes in a picture say.
fn read(picture: &[u8]) -> Vec<String> {
    let seen = image::load_from_memory(picture)
        .expect("a picture")
        .to_luma8();
    let (width, height) = (seen.width() as usize, seen.height() as usize);
    let grey = |x: usize, y: usize| seen.as_raw()[y * width + x];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    let codes = image.detect_grids();
    codes
        .iter()
        .filter_map(|code| Some(code.decode().ok()?.1))
        .collect()
}

async fn login(stage: &Stage) -> Login {
    let url = stage.browser.url().await;
    let id = url.rsplit('/').next().expect("an id");
    let id = Id::<kind::Login>::parse(id).expect("an id");
    let login = stage.app.provider.store.login(id).await.expect("asked");
    login.expect("it is there")
}

/// How late in a second a page may be with the frame of that second, in milliseconds.
const LATE: u64 = 500;

/// Takes pictures until one is taken within one second, and late enough in it. What that one says, what
/// it should say, and what it should have said a second before.
async fn seen(stage: &Stage, is_full: bool) -> (Vec<String>, [String; 2]) {
    for _ in 0..60 {
        let order = login(stage).await.order;
        let age = || {
            let age = stage.app.clock.moment().0 - order.received_at.0;
            u64::try_from(age).expect("ordered before")
        };
        let began = age();
        if began % 1000 < LATE || !(1000..=29_000).contains(&began) {
            tokio::time::sleep(Duration::from_millis(40)).await;
            continue;
        }
        let picture = match is_full {
            true => stage.browser.window_picture().await,
            false => stage.browser.whole_picture().await,
        };
        let is_same = login(stage).await.order.id == order.id;
        if is_same && began / 1000 == age() / 1000 {
            let frame = |seconds| qr::frame(&order.tokens, seconds);
            return (
                read(&picture),
                [frame(began / 1000), frame(began / 1000 - 1)],
            );
        }
    }
    panic!("no picture is taken within a second");
}

#[test]
fn a_picture_of_the_screen_holds_the_frame_of_its_second() {
    if !is_there() {
        return;
    }
    on_a_stage(async |stage| {
        let _shows = shows!(accepting "PV-QR-3", refusing "PV-QR-3");
        let browser = &stage.browser;
        for width in WIDTHS {
            for scheme in Scheme::ALL {
                stage.scan(&stage.request(&[])).await;
                browser.look(width, scheme).await;
                for is_full in [false, true] {
                    if is_full {
                        browser.press("#qr").await;
                        browser.see("#qr.large").await;
                    }
                    let at = format!("{width} {scheme:?}, full screen: {is_full}");
                    let (read, [now, before]) = seen(stage, is_full).await;
                    assert_eq!(read, [now.as_str()], "{at}");
                    assert_ne!(now, before);
                    assert_ne!(read, [before], "{at}");
                }
            }
        }
        // What was read is what an app takes.
        for _ in 0..10 {
            let (read, _) = seen(stage, true).await;
            if let Ok(claimed) = stage.app.phone.try_scan(&read[0], TOLVAN).await {
                claimed.approve().await;
                return stage.holding.hears(&["code="]).await;
            }
        }
        panic!("no app takes the code");
    });
}
