//! The policy as `GET policy` shows it.

use serde_json::{Value, json};

use crate::inspect::Attack;
use crate::policy::Policy;

/// The policy as loaded, without its secrets.
pub fn policy_answer(policy: &Policy) -> Value {
    let limits = &policy.limits;
    let detector = policy.detectors.forced_browsing.as_ref().map(|settings| {
        json!({
            "limit": settings.limit,
            "leak_ms": settings.leak_ms,
            "action": settings.response.action,
            "for_ms": settings.response.for_ms,
        })
    });
    json!({
        "mode": policy.mode.name(),
        "origin": policy.origin,
        "admin_host": policy.admin_host,
        "shards": policy.shards,
        "retention_days": policy.retention_ms / 86_400_000,
        "session_keys": policy.keys.sources(),
        "issuers": policy.issuers.iter().map(|issuer| &issuer.namespace).collect::<Vec<_>>(),
        "users_from": policy.users.namings().iter().map(|naming| naming.from.text()).collect::<Vec<_>>(),
        "context_key_id": policy.signer.as_ref().map(crate::context::Signer::key_id),
        "routes": policy.routes.len(),
        "exceptions": policy.exceptions.len(),
        "alerts": policy.alerts.iter().map(|rule| &rule.name).collect::<Vec<_>>(),
        "access": policy.access.as_ref().map(|access| &access.issuer.namespace),
        "viewer_sees_users": policy.viewer_sees_users,
        "detectors": {
            "attacks": attacks_answer(policy),
            "forced_browsing": detector,
            "session_rotation": policy.detectors.session_rotation.as_ref().map(|s| json!({
                "limit": s.limit,
                "action": s.response.action,
                "for_ms": s.response.for_ms,
            })),
        },
        "limits": {
            "origin_timeout_ms": limits.origin_timeout_ms,
            "flush_ms": limits.flush_ms,
            "flush_events": limits.flush_events,
            "buffer_events": limits.buffer_events,
            "abandon_ms": limits.abandon_ms,
            "path_bytes": limits.path_bytes,
            "body_bytes": limits.body_bytes,
            "body_ms": limits.body_ms,
            "body_over": limits.body_over.name(),
            "unproven_sessions": limits.unproven_sessions,
            "unproven_device_sessions": limits.unproven_device_sessions,
            "unproven_window_ms": limits.unproven_window_ms,
            "unproven_grace_ms": limits.unproven_grace_ms,
            "shard_mb": limits.shard_mb,
        },
        "development": { "client_headers": policy.development.client_headers, "clock": policy.development.clock },
    })
}

fn attacks_answer(policy: &Policy) -> Value {
    let tuned = Attack::ALL.into_iter().filter_map(|attack| Some((attack, policy.detectors.attacks.get(attack)?)));
    let shown = tuned.map(|(attack, tuned)| {
        let at = tuned.at.name();
        let min_confidence = f64::from(tuned.min_confidence) / 100.0;
        let told =
            json!({ "action": tuned.action, "min_confidence": min_confidence, "at": at, "for_ms": tuned.for_ms });
        (attack.name().to_owned(), told)
    });
    Value::Object(shown.collect())
}
