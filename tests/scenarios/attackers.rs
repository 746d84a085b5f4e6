//! Attackers of every class: loud ones that do not care, normal ones, and stealthy ones that slow down, jitter, rotate.

use super::people::{BUILDS, home};
use super::{Actor, HOUR, MINUTE, Place, Rng, SECOND, Strength, Traffic};

pub const CLASSES: [&str; 20] = [
    "brute_force",
    "credential_stuffing",
    "distributed_stuffing",
    "password_spraying",
    "account_takeover",
    "mass_registration",
    "token_sharing",
    "session_hijack",
    "impossible_travel",
    "bola_enumeration",
    "rate_spike",
    "volume_exfiltration",
    "automation",
    "forced_browsing",
    "patient_spraying",
    "patient_bola",
    "guessed_coupons",
    "guessed_gift_cards",
    "guessed_otp",
    "attacked_account",
];
const TOOLS: [(&str, &str); 4] = [
    ("python-requests/2.31.0", "t13d1812h1_85036bcba153_375ca2c5e164"),
    ("Go-http-client/1.1", "t13d1312h2_f57a46bbacb6_a5ef6c1aa9aa"),
    ("curl/8.5.0", "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"),
    ("okhttp/4.12.0", "t13d1515h2_acb858a92679_18f69afefd3d"),
];
const HOSTING: [(&str, u32); 4] = [("US", 14_061), ("NL", 60_781), ("FR", 16_276), ("SG", 16_509)];
const FAR: [(&str, u32); 6] =
    [("BR", 28_573), ("VN", 7_552), ("IN", 9_829), ("NG", 29_465), ("ID", 7_713), ("AR", 7_303)];

fn somewhere(rng: &mut Rng, strength: Strength) -> Place {
    let mut place = home(rng);
    (place.agent, place.ja4) =
        if strength == Strength::Stealthy || rng.chance(0.3) { *rng.pick(&BUILDS) } else { *rng.pick(&TOOLS) };
    (place.country, place.asn) = *if rng.chance(0.5) { rng.pick(&HOSTING) } else { rng.pick(&FAR) };
    place.ip = format!("{}.{}.{}.{}", rng.within(140, 180), rng.within(0, 255), rng.within(0, 255), rng.within(1, 254));
    place
}

/// A victim or a customer who turns bad: logged in, at home.
fn insider(t: &mut Traffic, rng: &mut Rng, label: super::Label, start: u64) -> Actor {
    let mut a = Actor::new(label, home(rng), start);
    a.session = Some(t.session());
    t.login(&mut a, "/api/login", "", true);
    for path in ["/api/home", "/api/me", "/api/cart"] {
        a.wait(rng.around(8_000.0, 0.8));
        t.send(&a, "GET", path, 200, 900);
    }
    a
}

/// One attack of a class.
pub fn attack(t: &mut Traffic, rng: &mut Rng, class: &'static str, strength: Strength, start: u64) {
    let label = t.attacker(class, strength);
    let mut a = Actor::new(label, somewhere(rng, strength), start);
    let pace = |rng: &mut Rng, loud: u64, normal: u64, stealthy: u64| {
        let mean = strength.of(loud, normal, stealthy);
        rng.jitter(mean, strength.of(0.05, 0.3, 0.6))
    };
    match class {
        "brute_force" => {
            let user = format!("user{}", rng.within(0, 5_000));
            let path = *rng.pick(&["/api/login", "/api/signin", "/oauth/token"]);
            for i in 0..strength.of(300, 60, 30) {
                if strength == Strength::Stealthy && i % 10 == 9 {
                    // A new browser now and then.
                    (a.place.agent, a.place.ja4) = *rng.pick(&BUILDS);
                }
                t.login(&mut a, path, &user, false);
                a.wait(pace(rng, 300, 4 * SECOND, 100 * SECOND));
            }
        }
        "credential_stuffing" | "password_spraying" => {
            let path = *rng.pick(&["/api/login", "/api/signin"]);
            for i in 0..strength.of(400, 80, 30) {
                let hit = class == "credential_stuffing" && rng.chance(0.01);
                a.session = (strength != Strength::Loud).then(|| t.session());
                t.login(&mut a, path, &format!("user{}", i * 13 + 7), hit);
                a.session = None;
                a.wait(pace(rng, 200, 3 * SECOND, 90 * SECOND));
            }
        }
        "distributed_stuffing" => {
            let many = strength.of(60, 40, 30);
            for i in 0..strength.of(600, 200, 90) {
                a.place.ip = format!("{}.{}.{}.9", 140 + i % many, (i % many) * 3, start % 250);
                t.login(&mut a, "/api/login", "", false);
                a.wait(pace(rng, 300, 5 * SECOND, 20 * SECOND));
            }
        }
        "account_takeover" => {
            for _ in 0..strength.of(40, 12, 6) {
                t.login(&mut a, "/api/login", "", false);
                a.wait(pace(rng, 500, 3 * SECOND, 12 * SECOND));
            }
            t.login(&mut a, "/api/login", "", true);
            t.send(a.wait(5_000), "GET", "/api/me", 200, 500);
            t.send(a.wait(10_000), "PUT", "/api/me/email", 200, 90);
            t.send(a.wait(10_000), "POST", "/api/me/payment-methods", 201, 90);
        }
        "mass_registration" => {
            for _ in 0..strength.of(60, 15, 8) {
                a.session = (strength != Strength::Loud).then(|| t.session());
                t.send(&a, "GET", "/register", 200, 4_000);
                t.send(a.wait(1_500), "POST", "/api/register", 201, 90);
                a.wait(pace(rng, 2 * SECOND, 40 * SECOND, 5 * MINUTE));
            }
        }
        "token_sharing" => {
            a = insider(t, rng, label, start);
            let users: Vec<Place> = (0..strength.of(40, 14, 8)).map(|_| home(rng)).collect();
            for _ in 0..strength.of(300, 90, 50) {
                a.place = rng.pick(&users).clone();
                a.wait(pace(rng, 2 * SECOND, 15 * SECOND, 50 * SECOND));
                t.send(&a, "GET", *rng.pick(&["/api/home", "/api/orders", "/api/me"]), 200, 900);
            }
        }
        "session_hijack" => {
            a = insider(t, rng, label, start);
            let thief = match strength {
                Strength::Loud => somewhere(rng, strength),
                Strength::Normal => {
                    Place { country: "US", asn: 14_061, ip: "164.90.1.7".into(), agent: TOOLS[3].0, ja4: TOOLS[3].1 }
                }
                // The same country, another browser.
                Strength::Stealthy => {
                    let other =
                        BUILDS.iter().find(|(agent, ja4)| *ja4 != a.place.ja4 && *agent != a.place.agent).unwrap();
                    Place {
                        asn: a.place.asn + 1,
                        ip: "91.7.7.7".into(),
                        agent: other.0,
                        ja4: other.1,
                        ..a.place.clone()
                    }
                }
            };
            a.place = thief;
            for path in ["/api/me", "/api/orders", "/api/cart", "/api/me"] {
                a.wait(pace(rng, 500, 3 * SECOND, 20 * SECOND));
                t.send(&a, "GET", path, 200, 900);
            }
        }
        "impossible_travel" => {
            a = insider(t, rng, label, start);
            let (country, asn) = *rng.pick(&FAR);
            a.wait(strength.of(MINUTE, 15 * MINUTE, 2 * HOUR));
            a.place = Place { country, asn, ip: "179.3.4.5".into(), ..a.place.clone() };
            for _ in 0..4 {
                t.send(a.wait(pace(rng, 900, 3 * SECOND, 9 * SECOND)), "GET", "/api/me", 200, 900);
            }
        }
        "bola_enumeration" => {
            a = insider(t, rng, label, start);
            t.send(&a, "GET", "/api/orders", 200, 700);
            a.wait(12_000);
            let first = rng.within(10_000, 900_000);
            let refused = strength.of(0.5, 0.2, 0.3);
            for i in 0..strength.of(300, 90, 60) {
                let id = if strength == Strength::Stealthy { first + i * 2 + rng.within(0, 1) } else { first + i };
                let status = if rng.chance(refused) { *rng.pick(&[403, 404]) } else { 200 };
                t.send(&a, "GET", format!("/api/orders/{id}"), status, 1_500);
                a.wait(pace(rng, 150, 1_500, 9 * SECOND));
            }
        }
        "rate_spike" => {
            a = insider(t, rng, label, start);
            for _ in 0..strength.of(1_500, 300, 180) {
                t.send(&a, "GET", "/api/search", 200, 9_000);
                a.wait(pace(rng, 40, 200, 600));
            }
        }
        "volume_exfiltration" => {
            a = insider(t, rng, label, start);
            for _ in 0..strength.of(60, 25, 12) {
                t.send(&a, "GET", "/api/orders", 200, strength.of(2_000_000, 500_000, 150_000));
                a.wait(pace(rng, 500, 5 * SECOND, 30 * SECOND));
            }
        }
        "automation" => {
            a.session = Some(t.session());
            for i in 0..strength.of(400, 200, 150) {
                if i % 20 == 0 {
                    t.send(&a, "GET", "/api/products", 200, 9_000);
                }
                t.send(&a, "GET", format!("/api/products/{}", rng.within(1, 4_000)), 200, 2_000);
                a.wait(pace(rng, 500, 3 * SECOND, 8 * SECOND));
            }
        }
        // One password for each of many users, from an address that is new each time.
        "patient_spraying" => {
            (a.place.agent, a.place.ja4) = *rng.pick(&TOOLS);
            for i in 0..strength.of(400, 160, 100) {
                a.place.ip = format!("{}.{}.{}.7", rng.within(140, 180), rng.within(0, 255), start % 250);
                t.login(&mut a, "/api/signin", &format!("user{}", i % 90), false);
                a.wait(pace(rng, 4 * SECOND, 20 * SECOND, 60 * SECOND));
            }
        }
        "patient_bola" => {
            a = insider(t, rng, label, start);
            let mut id = rng.within(10_000, 900_000);
            for _ in 0..strength.of(120, 90, 70) {
                id += rng.within(1, 40);
                let status = if rng.chance(0.75) { *rng.pick(&[403, 404]) } else { 200 };
                t.send(&a, "GET", format!("/api/orders/{id}"), status, 1_500);
                a.wait(pace(rng, 10 * SECOND, 40 * SECOND, 90 * SECOND));
            }
        }
        "guessed_coupons" => {
            a = insider(t, rng, label, start);
            for _ in 0..strength.of(300, 90, 60) {
                t.send(&a, "POST", "/api/cart/coupon", *rng.pick(&[404, 422]), 90);
                a.wait(pace(rng, 200, 2 * SECOND, 20 * SECOND));
            }
        }
        "guessed_gift_cards" => {
            for _ in 0..strength.of(300, 90, 60) {
                let path = format!("/api/gift-cards/{:04}-{:04}/balance", rng.within(0, 9_999), rng.within(0, 9_999));
                t.send(&a, "GET", path, if rng.chance(0.01) { 200 } else { 404 }, 90);
                a.wait(pace(rng, 200, 2 * SECOND, 20 * SECOND));
            }
        }
        "guessed_otp" => {
            a.session = Some(t.session());
            t.login(&mut a, "/api/login", "", true);
            for i in 0..strength.of(300, 40, 25) {
                if strength == Strength::Stealthy {
                    a.place.ip = format!("{}.{}.8.9", 140 + i, start % 250);
                }
                t.send(a.wait(pace(rng, 200, 3 * SECOND, 30 * SECOND)), "POST", "/api/auth/verify-otp", 401, 90);
            }
        }
        // One user is guessed at from everywhere; who owns the account is among the innocent.
        "attacked_account" => {
            let (user, victim) = (format!("victim{start}"), home(rng));
            super::odd::victim(t, rng, &victim, &user, start);
            for i in 0..strength.of(200, 60, 40) {
                a.place.ip = format!("{}.{}.{}.3", 140 + i % 30, i, start % 250);
                a.place.asn = 20_000 + (i % 12) as u32;
                t.login(&mut a, "/api/signin", &user, false);
                a.wait(pace(rng, 500, 6 * SECOND, 60 * SECOND));
            }
        }
        _ => {
            let words = ["admin", "backup", "config", "old", "test", "debug", "private", "internal", "dump", "env"];
            for i in 0..strength.of(200, 60, 30) {
                t.send(
                    &a,
                    "GET",
                    format!("/{}/{}{i}", rng.pick(&words), rng.pick(&words)),
                    *rng.pick(&[404, 404, 403]),
                    90,
                );
                a.wait(pace(rng, 100, 2 * SECOND, 7 * SECOND));
            }
        }
    }
}
