//! Who may call the API.

use sha2::{Digest, Sha256};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Viewer,
    Admin,
}

impl Role {
    /// The name in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }
}

/// The role of `Authorization: Bearer TOKEN`, compared with both tokens in time that tells nothing of either.
pub fn role_of(authorization: &str, admin: Option<&str>, viewer: Option<&str>) -> Option<Role> {
    let (scheme, token) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let token = token.trim();
    let is = |configured: Option<&str>| configured.is_some_and(|c| !c.trim().is_empty() && same(token, c.trim()));
    let (is_admin, is_viewer) = (is(admin), is(viewer));
    if is_admin {
        Some(Role::Admin)
    } else if is_viewer {
        Some(Role::Viewer)
    } else {
        None
    }
}

/// Compares digests, all 32 bytes whatever differs: neither content nor length can be felt out.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    let difference = a.iter().zip(b.iter()).fold(0u8, |all, (x, y)| all | (x ^ y));
    core::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_its_role_and_anything_else_none() {
        let role = |authorization| role_of(authorization, Some("admin-token-admin"), Some("viewer-token"));
        assert_eq!(role("Bearer admin-token-admin"), Some(Role::Admin));
        assert_eq!(role("bearer viewer-token"), Some(Role::Viewer));
        for bad in ["", "Bearer", "Bearer ", "Bearer x", "Basic admin-token-admin", "admin-token-admin"] {
            assert_eq!(role(bad), None, "{bad}");
        }
        assert_eq!(role_of("Bearer ", Some(""), None), None);
        assert_eq!(role_of("Bearer  ", Some(" "), Some("")), None);
    }
}
