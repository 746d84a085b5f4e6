//! The dependency rule and the other invariants that can be read off the tree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_edge(path: &Path) -> bool {
    path.starts_with(root().join("src/edge"))
}

/// Lines of code outside comments that hold one of `words`, as `file:line: text`.
fn lines_with(files: &[PathBuf], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.trim_start();
            if !code.starts_with("//") && words.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{number}: {code}", file.display()));
            }
        }
    }
    found
}

#[test]
fn only_the_edge_knows_the_platform() {
    let core: Vec<_> = sources(&root().join("src"), "rs").into_iter().filter(|path| !is_edge(path)).collect();
    assert!(core.len() > 20, "the test looks in the wrong place");
    let platform = ["worker::", "js_sys", "web_sys", "wasm_bindgen", "use worker", "console_error_panic_hook"];
    let found = lines_with(&core, &platform);
    assert!(found.is_empty(), "outside src/edge:\n{}", found.join("\n"));
}

#[test]
fn the_core_takes_time_and_randomness_as_arguments() {
    let core: Vec<_> = sources(&root().join("src"), "rs").into_iter().filter(|path| !is_edge(path)).collect();
    let hidden = ["Instant::now", "SystemTime", "Utc::now", "getrandom", "thread_rng", "thread_local!", "static mut"];
    let found = lines_with(&core, &hidden);
    assert!(found.is_empty(), "outside src/edge:\n{}", found.join("\n"));
}

#[test]
fn no_source_file_is_two_things_in_one() {
    const MOST_LINES: usize = 500;
    let files = sources(&root().join("src"), "rs").into_iter().chain(sources(&root().join("src"), "mjs"));
    let long: Vec<_> = files
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "over {MOST_LINES} lines: {long:?}");
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent: Vec<_> = sources(&root().join("src"), "rs")
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "no module comment: {silent:?}");
}

#[test]
fn every_dependency_has_its_line_in_the_architecture() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && let Some((name, _)) = line.split_once(" =") {
            assert!(architecture.contains(&format!("| `{name}` |")), "ARCHITECTURE.md does not explain `{name}`");
        }
    }
}

#[test]
fn tests_that_documents_name_exist() {
    let documents = sources(&root().join("docs"), "md")
        .into_iter()
        .chain([root().join("SECURITY.md"), root().join("CONTRIBUTING.md")]);
    let mut named = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        // Between backticks, without a wildcard or a placeholder.
        let paths = text.split('`').skip(1).step_by(2).filter(|span| {
            ["tests/", "examples/", "scripts/", "src/"].iter().any(|folder| span.starts_with(folder))
                && span.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
        });
        for path in paths {
            assert!(root().join(path).exists(), "{} names {path}, which is not there", document.display());
            named += 1;
        }
    }
    assert!(named > 30, "the test reads too little: {named}");
}
