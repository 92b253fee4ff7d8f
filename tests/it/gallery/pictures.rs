//! What `./test --screenshots` adds to the walk through the gallery: every state as a picture, and a page
//! that shows them all.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use super::State;
use super::stage::Stage;
use crate::support::devtools::Scheme;

pub const WIDTHS: [u32; 4] = [320, 390, 768, 1440];

/// Where pictures go, when they are asked for.
static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = PathBuf::from(std::env::var_os("PORTVAKT_TEST_SCREENSHOTS")?);
    std::fs::create_dir_all(&folder).expect("made");
    Some(folder)
});

/// Photographs a state at each width, light and dark.
pub async fn take(stage: &Stage, state: &State) {
    let Some(folder) = FOLDER.as_deref() else {
        return;
    };
    for width in WIDTHS {
        for scheme in Scheme::ALL {
            stage.browser.look(width, scheme).await;
            let (tongue, scheme) = (stage.tongue.tag(), scheme.name());
            let name = format!("{}-{tongue}-{width}-{scheme}.png", state.name);
            let picture = match state.name.as_str() {
                "scan-full-screen" => stage.browser.window_picture().await,
                _ => stage.browser.whole_picture().await,
            };
            std::fs::write(folder.join(name), picture).expect("written");
        }
    }
}

/// Writes the page that shows what was taken so far.
pub fn show() {
    // Wings end at the same time, and the last one must see what all have taken.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let Some(folder) = FOLDER.as_deref() else {
        return;
    };
    let _alone = ONE_AT_A_TIME.lock().expect("nobody fails while writing");
    let sheet = contact_sheet(&names(folder));
    std::fs::write(folder.join("index.html"), sheet).expect("written");
}

fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let names = files.map(|file| file.expect("a file").file_name().into_string());
    let mut names: Vec<String> = names.map(|name| name.expect("a name of ours")).collect();
    names.retain(|name| name.ends_with(".png"));
    names.sort();
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
