//! What changes about an endpoint while it is used: what it is to the documents, how callers show who they are, what it
//! answers. Read off the sums before and after; what is the same either way is no change.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::sensitive::Sensitive;
use super::state::Inventory;
use super::tally::Tally;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It answered for the first time.
    New,
    /// Nobody used it as long as things are kept.
    Gone,
    /// What it is to the documents.
    Inventory,
    /// How callers show who they are.
    Auth,
    /// It answers with another class of status.
    Status,
    /// Its answers hold other kinds of sensitive data.
    Sensitive,
}

impl ChangeKind {
    /// Every kind, by the names the API uses.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::New, "new"),
        (Self::Gone, "gone"),
        (Self::Inventory, "inventory"),
        (Self::Auth, "auth"),
        (Self::Status, "status"),
        (Self::Sensitive, "sensitive"),
    ];

    /// The name the API uses.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointChange {
    /// Rises by one with every change.
    pub id: u64,
    pub time_ms: u64,
    /// `METHOD host/template`.
    pub endpoint: Box<str>,
    pub kind: ChangeKind,
    /// Empty for nothing.
    pub from: Box<str>,
    pub to: Box<str>,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    inventory: Option<Inventory>,
    auth: &'static str,
    classes: BTreeSet<u16>,
    sensitive: Sensitive,
}

impl Outline {
    /// Of these sums.
    pub fn of(tally: &Tally) -> Self {
        Self {
            inventory: tally.state,
            auth: tally.posture().0,
            classes: tally.statuses.keys().map(|status| status / 100).filter(|class| *class > 0).collect(),
            sensitive: tally.traits.sensitive,
        }
    }

    /// What is different now: kind, before and after. What was not known before is news, and no change.
    pub fn changes(&self, now: &Self) -> Vec<(ChangeKind, String, String)> {
        let mut changes = Vec::new();
        let mut note = |kind, from: String, to: String| {
            if from != to {
                changes.push((kind, from, to));
            }
        };
        let state = |outline: &Self| outline.inventory.map_or("", Inventory::name).to_owned();
        note(ChangeKind::Inventory, state(self), state(now));
        if self.auth != "unknown" {
            note(ChangeKind::Auth, self.auth.to_owned(), now.auth.to_owned());
        }
        let classes =
            |outline: &Self| outline.classes.iter().map(|class| format!("{class}xx")).collect::<Vec<_>>().join(",");
        note(ChangeKind::Status, classes(self), classes(now));
        let sensitive = |outline: &Self| outline.sensitive.names().join(",");
        note(ChangeKind::Sensitive, sensitive(self), sensitive(now));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_what_was_before() {
        let mut tally = Tally { calls: 1, ..Tally::default() };
        tally.statuses.insert(200, 1);
        tally.means[2] = 1;
        let before = Outline::of(&tally);
        tally.statuses.insert(204, 1);
        assert_eq!(before.changes(&Outline::of(&tally)), []);
        tally.statuses.insert(500, 1);
        tally.means[0] = 1;
        tally.state = Some(Inventory::Zombie);
        tally.traits.sensitive = Sensitive::EMAIL;
        let told = before.changes(&Outline::of(&tally));
        let told: Vec<_> = told.iter().map(|(kind, from, to)| (kind.name(), from.as_str(), to.as_str())).collect();
        assert_eq!(
            told,
            [
                ("inventory", "", "zombie"),
                ("auth", "consistent", "mixed"),
                ("status", "2xx", "2xx,5xx"),
                ("sensitive", "", "email"),
            ]
        );
    }
}
