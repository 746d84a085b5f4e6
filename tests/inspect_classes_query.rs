//! The classes of query languages and object shapes, over tables of attacks and their innocent twins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "support/texts.rs"]
mod texts;

use throughline::inspect::Class;
use throughline::inspect::classes::ldap::LDAP_INJECTION;
use throughline::inspect::classes::nosqli::NOSQLI;
use throughline::inspect::classes::prototype_pollution::PROTOTYPE_POLLUTION;
use throughline::inspect::classes::sqli::SQLI;
use throughline::inspect::classes::xpath::XPATH_INJECTION;

/// Runs every line of a table; at most `wrong` may be, each of which is printed.
fn judge_all(class: &Class, table: &str) {
    let mut wrong = Vec::new();
    let lines = texts::read(table);
    for line in &lines {
        let sign = line.judge(class);
        let confidence = sign.as_ref().map_or(0, |sign| sign.confidence);
        if (confidence >= 80) != line.is_attack {
            let label = if line.is_attack { "missed" } else { "blocked" };
            wrong.push(format!("{label} {confidence:3} {:?} {}: {}", line.part, line.name, line.shown));
        }
    }
    assert!(lines.len() > 10, "{table} has {} lines", lines.len());
    assert!(wrong.is_empty(), "{} of {} lines of {table}:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

#[test]
fn sql_is_told_from_what_people_write() {
    judge_all(&SQLI, "sqli");
}

#[test]
fn operators_of_document_databases_are_told_from_query_options() {
    judge_all(&NOSQLI, "nosqli");
}

#[test]
fn search_filters_are_told_from_parentheses() {
    judge_all(&LDAP_INJECTION, "ldap_injection");
}

#[test]
fn xpath_is_told_from_prose_and_paths() {
    judge_all(&XPATH_INJECTION, "xpath_injection");
}

#[test]
fn names_that_reach_prototypes_are_told_from_mentions() {
    judge_all(&PROTOTYPE_POLLUTION, "prototype_pollution");
}
