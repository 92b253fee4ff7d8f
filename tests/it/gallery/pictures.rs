//! `./test --screenshots`: every state as a picture, and a page that shows them all.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use super::{WINGS, Wing, walk};
use crate::support::chromium::is_there;
use crate::support::devtools::Scheme;
use crate::support::run;

pub const WIDTHS: [u32; 4] = [320, 390, 768, 1440];

/// Takes the pictures of one wing. Their names.
async fn take(wing: &Wing, folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let taken = std::cell::RefCell::new(&mut names);
    walk(wing, async |stage, state| {
        for width in WIDTHS {
            for scheme in Scheme::ALL {
                stage.browser.look(width, scheme).await;
                let (tongue, scheme) = (stage.tongue.tag(), scheme.name());
                let name = format!("{}-{tongue}-{width}-{scheme}.png", state.name);
                let picture = match state.name.as_str() {
                    "scan-full-screen" => stage.browser.window_picture().await,
                    _ => stage.browser.whole_picture().await,
                };
                std::fs::write(folder.join(&name), picture).expect("written");
                taken.borrow_mut().push(name);
            }
        }
    })
    .await;
    names
}

fn contact_sheet(names: &[String]) -> String {
    let figures: String = names
        .iter()
        .map(|name| {
            format!("<figure><a href=\"{name}\"><img src=\"{name}\" alt=\"\" loading=\"lazy\"></a><figcaption>{name}</figcaption></figure>\n")
        })
        .collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Every state</title>\
         <style>body{{display:flex;flex-wrap:wrap;gap:1rem;font:0.75rem system-ui}}\
         figure{{margin:0;width:15rem}}img{{width:100%;border:1px solid #888}}</style>\n{figures}"
    )
}

#[test]
#[ignore = "by ./test --screenshots"]
fn every_state_is_photographed() {
    assert!(is_there(), "Chromium is needed");
    let folder: PathBuf = std::env::var_os("PORTVAKT_TEST_SCREENSHOTS")
        .expect("./test says where")
        .into();
    std::fs::create_dir_all(&folder).expect("made");
    run(async {
        let wings = join_all(WINGS.iter().map(|wing| take(wing, &folder))).await;
        let sheet = contact_sheet(&wings.concat());
        std::fs::write(folder.join("index.html"), sheet).expect("written");
    });
}
