//! Innocent people and programs who do what looks like an attack.

use super::people::{BUILDS, browse, buy, log_in, mobile};
use super::{Actor, HOUR, Label, MINUTE, Place, Rng, SECOND, Traffic};

/// What looks like an attack and is none.
pub fn visit(t: &mut Traffic, rng: &mut Rng, a: &mut Actor, kind: u64, n: u64) {
    let program = |a: &mut Actor, t: &mut Traffic, agent: &'static str| {
        (a.key, a.session) = ("request.header.x-api-key", Some(t.session()));
        a.place.ip = format!("3.122.{}.{}", n % 200, n / 200 % 200);
        (a.place.country, a.place.asn, a.place.agent) = ("DE", 16_509, agent);
        a.place.ja4 = "t13d1312h1_f57a46bbacb6_ab7e3b40a677";
    };
    match kind {
        0 => {
            // Every night all of its orders, one after the other; some nights without asking for the list.
            a.label = Label::Innocent("nightly batch");
            program(a, t, "PartnerSync/2.1");
            if rng.chance(0.5) {
                t.send(a, "GET", "/api/orders", 200, 90_000);
            }
            let first = rng.within(10_000, 900_000);
            for i in 0..rng.within(60, 250) {
                let status = if rng.chance(0.02) { 404 } else { 200 };
                t.send(a.wait(rng.within(150, 900)), "GET", format!("/api/orders/{}", first + i), status, 2_500);
            }
        }
        1 => {
            a.label = Label::Innocent("app sync");
            a.session = Some(t.session());
            log_in(t, rng, a, n);
            let first = rng.within(10_000, 900_000);
            for page in 0..rng.within(3, 6) {
                t.send(a.wait(300), "GET", "/api/orders", 200, 8_000);
                for i in 0..20 {
                    let id = first + page * 140 + i * rng.within(3, 7);
                    t.send(a.wait(rng.within(20, 90)), "GET", format!("/api/orders/{id}"), 200, 900);
                }
            }
        }
        2 => {
            a.label = Label::Innocent("health check");
            program(a, t, "curl/8.5.0");
            (a.key, a.session) = ("client.ip+ua+ja4", None);
            for _ in 0..rng.within(8, 16) {
                for (path, status) in [
                    ("/health", 200),
                    ("/api/health", 200),
                    ("/status", 404),
                    ("/does-not-exist", 404),
                    ("/ready", 404),
                ] {
                    t.send(a.wait(rng.within(50, 200)), "GET", path, status, 60);
                }
                a.wait(30 * SECOND);
            }
        }
        3 => {
            a.label = Label::Innocent("support agent");
            a.session = Some(t.session());
            log_in(t, rng, a, n);
            for _ in 0..rng.within(20, 60) {
                t.send(a.wait(rng.around(50_000.0, 0.8)), "GET", "/api/customers/search", 200, 4_000);
                let customer = rng.within(1, 90_000);
                t.send(a.wait(rng.within(900, 5_000)), "GET", format!("/api/customers/{customer}"), 200, 3_000);
                t.send(a.wait(rng.within(90, 300)), "GET", format!("/api/customers/{customer}/orders"), 200, 3_000);
            }
        }
        4 => {
            // A terminal in a shop: one browser, many users, now and then a mistake.
            a.label = Label::Innocent("kiosk");
            for user in 0..rng.within(8, 20) {
                a.session = Some(t.session());
                log_in(t, rng, a, n * 31 + user);
                browse(t, rng, a, 3);
                a.wait(rng.around(200_000.0, 0.6));
            }
        }
        5 => {
            a.label = Label::Innocent("refresh storm");
            a.session = Some(t.session());
            log_in(t, rng, a, n);
            for _ in 0..rng.within(3, 9) {
                a.wait(15 * MINUTE);
                for _ in 0..rng.within(3, 12) {
                    t.send(a.wait(rng.within(5, 80)), "POST", "/api/auth/refresh", 200, 500);
                }
                browse(t, rng, a, 2);
            }
        }
        6 => {
            // Its token ran out, and so did what would renew it; it tries until somebody looks.
            a.label = Label::Innocent("expired loop");
            a.session = Some(t.session());
            log_in(t, rng, a, n);
            browse(t, rng, a, 5);
            a.wait(8 * HOUR / 10);
            for i in 0..rng.within(40, 200) {
                t.send(a.wait(5_000 + i % 70), "GET", "/api/notifications", 401, 60);
                t.send(a.wait(40), "POST", "/api/auth/refresh", 401, 60);
            }
            log_in(t, rng, a, n);
        }
        7 => {
            // The password that was saved is an old one, and is sent at each start of the application.
            a.label = Label::Innocent("saved password");
            let user = format!("user{n}");
            t.login(a, "/api/signin", &user, true);
            browse(t, rng, a, 2);
            a.session = None;
            a.wait(rng.within(20, 60) * MINUTE);
            for _ in 0..rng.within(2, 5) {
                t.login(a, "/api/signin", &user, false);
                a.wait(rng.within(300, 1_200));
            }
            t.login(a.wait(rng.around(40_000.0, 0.5)), "/api/signin", &user, true);
            browse(t, rng, a, 5);
        }
        8 => {
            a.label = Label::Innocent("coupon extension");
            a.session = Some(t.session());
            log_in(t, rng, a, n);
            browse(t, rng, a, 3);
            for _ in 0..rng.within(5, 20) {
                t.send(a.wait(rng.within(700, 1_500)), "POST", "/api/cart/coupon", 422, 90);
            }
            if rng.chance(0.5) {
                t.send(a.wait(900), "POST", "/api/cart/coupon", 200, 90);
            }
            buy(t, rng, a);
        }
        9 => {
            // One account, at home and, through a provider of VPNs, from elsewhere, each on their own device.
            a.label = Label::Innocent("shared account");
            let here = a.place.clone();
            let (agent, ja4) = *rng.pick(&BUILDS);
            let ip = format!("185.{}.9.{}", rng.within(1, 250), rng.within(1, 250));
            let there = Place { ip, country: if here.country == "US" { "DE" } else { "US" }, asn: 9009, agent, ja4 };
            (a.key, a.verified, a.session) = ("request.jwt.sub", true, Some(t.session()));
            for i in 0..rng.within(6, 12) {
                a.place = if i % 2 == 0 { here.clone() } else { there.clone() };
                browse(t, rng, a, 3);
            }
        }
        10 => {
            a.label = Label::Innocent("one-time code");
            a.session = Some(t.session());
            log_in(t, rng, a, n);
            for _ in 0..rng.within(0, 3) {
                t.send(a.wait(rng.around(15_000.0, 0.5)), "POST", "/api/auth/verify-otp", 401, 90);
            }
            t.send(a.wait(rng.around(15_000.0, 0.5)), "POST", "/api/auth/verify-otp", 200, 90);
            browse(t, rng, a, 4);
        }
        _ => {
            // From the train into the tunnel: between two networks with each page.
            a.label = Label::Innocent("switching networks");
            a.session = Some(t.session());
            log_in(t, rng, a, n);
            let (wifi, cell) = (a.place.clone(), mobile(rng, &a.place));
            for i in 0..rng.within(10, 40) {
                a.place = if i % 2 == 0 { cell.clone() } else { wifi.clone() };
                browse(t, rng, a, 1);
            }
        }
    }
}

/// Who owns an account that somebody else guesses at: at home before, and mistypes while it goes on.
pub fn victim(t: &mut Traffic, rng: &mut Rng, home: &Place, user: &str, attack: u64) {
    let mut a = Actor::new(Label::Innocent("victim"), home.clone(), attack.saturating_sub(30 * MINUTE));
    for visit in 0..2 {
        a.session = Some(t.session());
        if visit == 1 {
            a.at_ms = attack + 3 * MINUTE;
            t.login(&mut a, "/api/signin", user, false);
            a.wait(rng.around(9_000.0, 0.5));
        }
        t.login(&mut a, "/api/signin", user, true);
        user.clone_into(&mut a.user);
        browse(t, rng, &mut a, 6);
    }
}
