//! The image. It is not built here, where no engine for containers runs; what can be looked at without is.

use std::path::Path;
use std::process::Command;

use portvakt::shows;

use super::{copy, said};
use crate::support::fronts::shipped;

/// What is copied into the stage that builds is enough for cargo, and let through by `.dockerignore`.
#[test]
fn the_image_is_built_of_all_that_cargo_needs() {
    let _shows = shows!(accepting "PV-DEPLOY-3");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = shipped("docker/Dockerfile");
    let ignored = std::fs::read_to_string(root.join(".dockerignore")).expect("a file");
    let context = tempfile::tempdir().expect("a directory");
    let copied = text.lines().filter_map(|line| line.strip_prefix("COPY "));
    for line in copied.filter(|line| !line.starts_with("--from")) {
        let mut names: Vec<&str> = line.split_whitespace().collect();
        names.pop().expect("where to");
        for name in names {
            let is_let_through = ignored.lines().any(|line| line == format!("!{name}"));
            assert!(is_let_through, "{name}");
            let (from, to) = (root.join(name), context.path().join(name));
            match from.is_dir() {
                true => copy(&from, &to),
                false => drop(std::fs::copy(from, to).expect("copied")),
            }
        }
    }
    let cargo = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--locked",
            "--offline",
            "--no-deps",
            "--format-version=1",
        ])
        .current_dir(context.path())
        .output()
        .expect("it runs");
    assert!(cargo.status.success(), "{}", said(&cargo));
    // Files that the code takes in when it is built are there, too.
    let grep = Command::new("grep")
        .args([
            "-rhoE",
            "include_(str|bytes)!\\(\"(\\.\\./)+[^\"]+\"",
            "src",
        ])
        .current_dir(context.path())
        .output()
        .expect("it runs");
    let taken_in = String::from_utf8(grep.stdout).expect("text");
    assert!(taken_in.contains("base.css"), "{taken_in}");
    for line in taken_in.lines() {
        let (_, file) = line.split_once('"').expect("a name");
        let file = file.trim_matches('"').trim_start_matches("../");
        let is_of_tests = ["docs/", "tests/", "deploy/"]
            .iter()
            .any(|folder| file.starts_with(folder));
        assert!(
            is_of_tests || context.path().join(file).exists(),
            "{file} is not in the image's context"
        );
    }
    for rule in [
        "--no-default-features",
        "USER 65532:65532",
        "distroless",
        "HEALTHCHECK",
        "--locked",
    ] {
        assert!(text.contains(rule), "{rule}");
    }
    let bases = text.lines().filter_map(|line| line.strip_prefix("FROM "));
    for base in bases {
        let name = base.split_whitespace().next().expect("a name");
        let (_, tag) = name.rsplit_once(':').expect("a tag");
        assert_ne!(tag, "latest");
    }
}
