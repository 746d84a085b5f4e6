//! The innocent: customers at home and on the move, offices, families, partners' programs, a sale, and every kind of
//! bad day a client can have.

use super::{Actor, HOUR, Label, MINUTE, Place, Rng, SECOND, Traffic};

/// Browsers and apps with their TLS fingerprints, the common ones more often.
pub const BUILDS: [(&str, &str); 7] = [
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
        "t13d1516h2_8daaf6152771_02713d6af862",
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36",
        "t13d1516h2_8daaf6152771_02713d6af862",
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
        "t13d2014h2_a09f3c656075_14788d8d241b",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
        "t13d2014h2_a09f3c656075_e42f34c56612",
    ),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "t13d1715h2_5b57614c22b0_3d5424432f57"),
    ("ShopApp/7.2 (iPhone; iOS 17.4)", "t13d2013h2_a09f3c656075_7f0f34a4126d"),
    ("ShopApp/7.2 (Android 14)", "t13d1513h2_8daaf6152771_eca864cca44a"),
];
const COUNTRIES: [(&str, u32, u32); 8] = [
    ("DE", 3320, 6805),
    ("DE", 3209, 6805),
    ("FR", 3215, 5410),
    ("GB", 2856, 5378),
    ("NL", 1136, 31615),
    ("AT", 8447, 8412),
    ("US", 7922, 21928),
    ("PL", 5617, 12912),
];

pub fn home(rng: &mut Rng) -> Place {
    let (country, asn, _) = *rng.pick(&COUNTRIES);
    let (agent, ja4) = *rng.pick(&BUILDS);
    let ip = if rng.chance(0.3) {
        format!(
            "2a02:{:x}:{:x}:{:x}::{:x}",
            asn & 0xfff,
            rng.within(1, 0xffff),
            rng.within(1, 0xffff),
            rng.within(1, 99)
        )
    } else {
        format!("{}.{}.{}.{}", 60 + asn % 40, rng.within(0, 255), rng.within(0, 255), rng.within(1, 254))
    };
    Place { ip, country, asn, agent, ja4 }
}

pub fn mobile(rng: &mut Rng, of: &Place) -> Place {
    let asn = COUNTRIES.iter().find(|(country, ..)| *country == of.country).map_or(1, |(_, _, asn)| *asn);
    Place { ip: format!("100.{}.{}.{}", 64 + asn % 60, rng.within(0, 255), rng.within(1, 254)), asn, ..of.clone() }
}

/// A page and what it loads.
fn page(t: &mut Traffic, rng: &mut Rng, a: &mut Actor) {
    a.wait(rng.around(9_000.0, 1.1).clamp(300, 20 * MINUTE));
    let burst = |rng: &mut Rng, a: &mut Actor| {
        a.wait(rng.around(60.0, 0.8));
    };
    match rng.within(0, 11) {
        0 | 1 => {
            t.send(a, "GET", "/api/products", 200, rng.within(4_000, 30_000));
            let first = rng.within(1, 4_000);
            for i in 0..rng.within(8, 40) {
                burst(rng, a);
                t.send(a, "GET", format!("/api/images/{}", first + i), 200, rng.within(4_000, 40_000));
            }
        }
        2 => {
            t.send(a, "GET", "/api/search", 200, rng.within(2_000, 20_000));
            for _ in 0..rng.within(3, 12) {
                burst(rng, a);
                t.send(a, "GET", format!("/api/products/{}", rng.within(1, 4_000)), 200, rng.within(900, 4_000));
            }
        }
        3..=6 => {
            t.send(a, "GET", format!("/api/products/{}", rng.within(1, 4_000)), 200, rng.within(900, 4_000));
            if rng.chance(0.6) {
                burst(rng, a);
                t.send(a, "GET", "/api/recommendations", 200, 3_000);
            }
        }
        7 => t.send(a, "GET", "/api/cart", 200, 800),
        8 => t.send(a, "POST", "/api/cart/items", 201, 300),
        9 => {
            t.send(a, "GET", "/api/orders", 200, rng.within(1_000, 9_000));
            for _ in 0..rng.within(1, 6) {
                burst(rng, a);
                t.send(a, "GET", format!("/api/orders/{}", rng.within(10_000, 900_000)), 200, rng.within(900, 5_000));
            }
        }
        10 => t.send(a, "GET", "/api/me", 200, 400),
        _ => t.send(a, "GET", "/api/home", 200, 7_000),
    }
    if rng.chance(0.01) {
        t.send(a, "GET", format!("/api/products/{}", rng.within(5_000, 9_000)), 404, 60);
    }
}

pub fn browse(t: &mut Traffic, rng: &mut Rng, a: &mut Actor, pages: u64) {
    for _ in 0..pages {
        page(t, rng, a);
    }
}

/// Logs in with as many mistakes as people make; a site knows its visitors by a cookie, an app by nothing yet.
pub fn log_in(t: &mut Traffic, rng: &mut Rng, a: &mut Actor, who: u64) {
    let path = if who.is_multiple_of(2) { "/api/login" } else { "/api/signin" };
    let user = format!("user{who}");
    let mut wrong = 0.08;
    while rng.chance(wrong) {
        t.login(a, path, &user, false);
        a.wait(rng.around(9_000.0, 0.6).max(2_000));
        wrong = 0.3;
    }
    t.login(a, path, &user, true);
    a.user = if path.ends_with("signin") { user } else { String::new() };
}

pub fn buy(t: &mut Traffic, rng: &mut Rng, a: &mut Actor) {
    for (path, wait) in [("/api/cart/items", 4_000.0), ("/api/checkout", 20_000.0), ("/api/payments", 40_000.0)] {
        a.wait(rng.around(wait, 0.7));
        t.send(a, "POST", path, 201, 500);
    }
}

/// One innocent visit of a kind; `n` numbers the visitor.
pub fn visit(t: &mut Traffic, rng: &mut Rng, n: u64, start: u64) {
    let kind = rng.within(0, 99);
    let mut a = Actor::new(Label::Innocent("customer"), home(rng), start);
    let is_app = a.place.agent.starts_with("ShopApp");
    if !is_app {
        a.session = Some(t.session());
    }
    match kind {
        0..=42 => {
            let pages = rng.within(1, 8);
            browse(t, rng, &mut a, pages);
            if rng.chance(0.6) {
                log_in(t, rng, &mut a, n);
                let pages = rng.within(1, 18);
                browse(t, rng, &mut a, pages);
                if rng.chance(0.3) {
                    buy(t, rng, &mut a);
                }
                if rng.chance(0.05) {
                    t.send(a.wait(30_000), "PUT", "/api/me/address", 200, 200);
                }
            }
        }
        43..=54 => super::odd::visit(t, rng, &mut a, kind - 43, n),
        55..=62 => {
            a.label = Label::Innocent("roaming");
            log_in(t, rng, &mut a, n);
            let home = a.place.clone();
            for i in 0..rng.within(6, 20) {
                browse(t, rng, &mut a, 2);
                a.place = if i % 7 == 6 { home.clone() } else { mobile(rng, &home) };
            }
        }
        63..=66 => {
            a.label = Label::Innocent("forgot");
            let path = if n.is_multiple_of(2) { "/api/login" } else { "/api/signin" };
            for _ in 0..rng.within(2, 7) {
                t.login(&mut a, path, &format!("user{n}"), false);
                a.wait(rng.around(11_000.0, 0.6).max(3_000));
            }
            t.send(&a, "POST", "/api/password/forgot", 202, 90);
            a.wait(rng.around(120_000.0, 0.6));
            t.send(&a, "POST", "/api/password/reset", 200, 90);
            t.login(a.wait(8_000), path, &format!("user{n}"), true);
            browse(t, rng, &mut a, 5);
        }
        67..=70 => {
            a.label = Label::Innocent("expired");
            log_in(t, rng, &mut a, n);
            browse(t, rng, &mut a, 4);
            a.wait(HOUR);
            for _ in 0..rng.within(6, 25) {
                a.wait(rng.within(20, 400));
                let path = *rng.pick(&["/api/me", "/api/cart", "/api/orders", "/api/notifications", "/api/home"]);
                t.send(&a, "GET", path, 401, 60);
            }
            t.send(a.wait(200), "POST", "/api/auth/refresh", 200, 500);
            browse(t, rng, &mut a, 4);
        }
        71..=74 => {
            a.label = Label::Innocent("flaky");
            log_in(t, rng, &mut a, n);
            for _ in 0..6 {
                browse(t, rng, &mut a, 1);
                for _ in 0..rng.within(3, 15) {
                    t.send(a.wait(rng.within(800, 2_500)), "GET", "/api/cart", *rng.pick(&[502, 503, 504, 499]), 40);
                }
            }
        }
        75..=78 => {
            a.label = Label::Innocent("family");
            for member in 0..rng.within(2, 4) {
                a.session = if is_app { None } else { Some(t.session()) };
                log_in(t, rng, &mut a, n * 7 + member);
                browse(t, rng, &mut a, 4);
                a.wait(rng.within(1, 20) * MINUTE);
            }
        }
        79..=81 => {
            a.label = Label::Innocent("newcomer");
            browse(t, rng, &mut a, 3);
            if rng.chance(0.2) {
                t.send(a.wait(40_000), "POST", "/api/register", 409, 90);
            }
            t.send(a.wait(30_000), "POST", "/api/register", 201, 90);
            browse(t, rng, &mut a, 5);
        }
        82..=84 => {
            a.label = Label::Innocent("vpn");
            log_in(t, rng, &mut a, n);
            browse(t, rng, &mut a, 5);
            let far = if a.place.country == "US" { "GB" } else { "US" };
            let before = a.place.clone();
            let asn = *rng.pick(&[9009, 212_238, 60_068, 16_276]);
            a.place = Place {
                ip: format!("185.{}.7.{}", rng.within(1, 250), rng.within(1, 250)),
                country: far,
                asn,
                ..before
            };
            a.wait(20_000);
            browse(t, rng, &mut a, 6);
            a.place = before;
            browse(t, rng, &mut a, 3);
        }
        85..=86 => {
            a.label = Label::Innocent("update");
            browse(t, rng, &mut a, 5);
            a.wait(10 * MINUTE);
            if a.place.agent.contains("Chrome/124") && a.place.agent.contains("Windows") {
                a.place.agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36";
            }
            browse(t, rng, &mut a, 5);
        }
        87..=89 => {
            a.label = Label::Innocent("tabs");
            t.send(&a, "GET", "/api/search", 200, 9_000);
            for _ in 0..rng.within(10, 28) {
                a.wait(rng.around(1_200.0, 0.9));
                t.send(&a, "GET", format!("/api/products/{}", rng.within(1, 4_000)), 200, 2_000);
            }
            browse(t, rng, &mut a, 6);
        }
        90..=91 => {
            a.label = Label::Innocent("gallery");
            let first = rng.within(100, 900);
            for i in 0..rng.within(5, 16) {
                a.wait(rng.around(12_000.0, 0.9));
                t.send(&a, "GET", format!("/api/articles/{}", first + i), 200, 6_000);
            }
        }
        92..=93 => {
            a.label = Label::Innocent("favourites");
            t.send(&a, "GET", "/api/favourites", 200, 900);
            for _ in 0..rng.within(4, 18) {
                a.wait(rng.within(20, 90));
                t.send(
                    &a,
                    "GET",
                    format!("/api/products/{}", rng.within(1, 4_000)),
                    if rng.chance(0.35) { 404 } else { 200 },
                    900,
                );
            }
            browse(t, rng, &mut a, 4);
        }
        94..=95 => {
            a.label = Label::Innocent("polling tab");
            log_in(t, rng, &mut a, n);
            for i in 0..rng.within(40, 160) {
                t.send(a.wait(30_000 + i % 40), "GET", "/api/notifications", 200, 70);
            }
        }
        96..=97 => {
            a.label = Label::Innocent("partner");
            (a.key, a.session) = ("request.header.x-api-key", Some(t.session()));
            a.place = Place {
                ip: format!("3.120.{}.{}", n % 200, rng.within(1, 99)),
                country: "DE",
                asn: 16_509,
                agent: "PartnerSync/2.1",
                ja4: "t13d1312h1_f57a46bbacb6_ab7e3b40a677",
            };
            for _ in 0..rng.within(3, 8) {
                t.send(a.wait(5 * MINUTE), "GET", "/api/orders", 200, 40_000);
                for _ in 0..rng.within(20, 80) {
                    t.send(a.wait(250), "GET", format!("/api/orders/{}", rng.within(10_000, 900_000)), 200, 2_500);
                }
            }
        }
        98 => {
            a.label = Label::Innocent("service account");
            (a.key, a.verified, a.session) = ("request.jwt.sub", true, Some(t.session()));
            a.place = Place {
                ip: format!("3.121.{}.{}", n % 200, rng.within(1, 99)),
                country: "DE",
                asn: 16_509,
                agent: "python-httpx/0.27.0",
                ja4: "t13d1812h1_85036bcba153_b26ce05bbdd6",
            };
            for i in 0..rng.within(100, 300) {
                t.send(a.wait(2_000), "GET", format!("/api/stock/{}", i * 37 % 1_000), 200, 300);
            }
        }
        _ => {
            a.label = Label::Innocent("administrator");
            log_in(t, rng, &mut a, n);
            for _ in 0..rng.within(5, 15) {
                a.wait(rng.around(25_000.0, 0.5));
                t.send(&a, "POST", "/api/users", 201, 300);
            }
            for _ in 0..3 {
                t.send(a.wait(20_000), "GET", "/api/reports/export", 200, 9_000_000);
            }
        }
    }
}

/// Sixty people behind one address on managed machines, most of whom log in at nine.
pub fn office(t: &mut Traffic, rng: &mut Rng, n: u64) {
    let (agent, ja4) = BUILDS[0];
    let place = Place { ip: format!("194.25.{n}.1"), country: "DE", asn: 3320, agent, ja4 };
    for who in 0..60 {
        let mut a = Actor::new(Label::Innocent("office"), place.clone(), HOUR + rng.around(900_000.0, 0.7));
        if who % 3 > 0 {
            a.session = Some(t.session());
        }
        log_in(t, rng, &mut a, n * 100 + who);
        let pages = rng.within(2, 14);
        browse(t, rng, &mut a, pages);
    }
}

/// People who wait for a sale, press reload and buy.
pub fn sale(t: &mut Traffic, rng: &mut Rng, people: u64, start: u64) {
    for n in 0..people {
        let mut a = Actor::new(Label::Innocent("sale"), home(rng), start + rng.within(0, 100) * SECOND);
        a.session = Some(t.session());
        log_in(t, rng, &mut a, 50_000 + n);
        while a.at_ms < start + 4 * MINUTE {
            a.wait(rng.around(4_000.0, 0.6).max(700));
            let status = if rng.chance(0.1) { 503 } else { 200 };
            t.send(&a, "GET", "/api/products/777", status, 2_500);
        }
        buy(t, rng, &mut a);
    }
}

/// Everybody, over six hours.
pub fn population(t: &mut Traffic, rng: &mut Rng, visits: u64) {
    for n in 0..visits {
        // More in the afternoon than at night.
        let start = (rng.unit().sqrt() * 6.0 * HOUR as f64) as u64;
        visit(t, rng, n, start);
    }
    for n in 0..visits / 600 + 1 {
        office(t, rng, n);
    }
    sale(t, rng, visits / 20, 4 * HOUR);
}
