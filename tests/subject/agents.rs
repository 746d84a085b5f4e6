//! Families of user agents, over agents as they are met in the wild.

use throughline::subject::Family;

const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";

/// What follows one of the beginnings above, and the family.
const BROWSERS: [(&str, &str, &str); 22] = [
    (WINDOWS, "Chrome/124.0.0.0 Safari/537.36", "Chrome 124"),
    (WINDOWS, "Chrome/124.0.6367.118 Safari/537.36", "Chrome 124"),
    (WINDOWS, "Chrome/124.0.0.0 Safari/537.36 Edg/124.0.2478.67", "Edge 124"),
    (WINDOWS, "Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763", "Edge 18"),
    (WINDOWS, "Chrome/123.0.0.0 Safari/537.36 OPR/109.0.0.0", "Opera 109"),
    (WINDOWS, "Chrome/122.0.6261.95 Safari/537.36 Vivaldi/6.6.3271.45", "Vivaldi 6"),
    (WINDOWS, "Chrome/122.0.0.0 YaBrowser/24.4.1.899 Yowser/2.5 Safari/537.36", "YaBrowser 24"),
    (WINDOWS, "HeadlessChrome/120.0.6099.109 Safari/537.36", "HeadlessChrome 120"),
    (WINDOWS, "Slack/4.37.101 Chrome/122.0.6261.156 Electron/29.3.0 Safari/537.36", "Electron 29"),
    (MAC, "Version/17.4.1 Safari/605.1.15", "Safari 17"),
    (MAC, "Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)", "Applebot 0"),
    (MAC, "Version/17.4 Safari/605.1.15 Ddg/17.4", "DuckDuckGo 17"),
    (ANDROID, "Chrome/124.0.6367.82 Mobile Safari/537.36", "Chrome 124"),
    (ANDROID, "Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36", "Chrome 124"),
    (ANDROID, "SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36", "SamsungBrowser 24"),
    (ANDROID, "Chrome/124.0.0.0 Mobile Safari/537.36 EdgA/124.0.2478.50", "Edge 124"),
    (
        ANDROID,
        "Chrome/99.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Googlebot 2",
    ),
    (IPHONE, "Version/17.4.1 Mobile/15E148 Safari/604.1", "Safari 17"),
    (IPHONE, "CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1", "Chrome 124"),
    (IPHONE, "FxiOS/125.1 Mobile/15E148 Safari/605.1.15", "Firefox 125"),
    (IPHONE, "EdgiOS/123.0.2420.108 Version/17.0 Mobile/15E148 Safari/604.1", "Edge 123"),
    (IPHONE, "Mobile/15E148", "AppleWebKit 605"),
];

const OTHERS: [(&str, &str); 26] = [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "Firefox 125"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0.3", "Firefox 125"),
    ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "MSIE 11"),
    ("Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)", "MSIE 9"),
    ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bingbot 2"),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "GPTBot 1",
    ),
    ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "YandexBot 3"),
    ("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "Nmap"),
    ("Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.4291", "WindowsPowerShell 5"),
    ("Mozilla/5.0", "Mozilla 5"),
    ("Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18", "Opera 9"),
    ("curl/8.4.0", "curl 8"),
    ("Wget/1.21.3", "Wget 1"),
    ("python-requests/2.31.0", "python-requests 2"),
    ("Python/3.11 aiohttp/3.9.3", "Python 3"),
    ("Go-http-client/2.0", "Go-http-client 2"),
    ("okhttp/4.12.0", "okhttp 4"),
    ("Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A.220624.014)", "Dalvik 2"),
    ("ShopApp/3.14.1 (iPhone14,5; iOS 17.4.1) CFNetwork/1494.0.7 Darwin/23.4.0", "ShopApp 3"),
    ("PostmanRuntime/7.37.3", "PostmanRuntime 7"),
    ("axios/1.6.8", "axios 1"),
    ("node", "node"),
    ("tool/v2.3", "tool 2"),
    ("sqlmap/1.8.4#stable (https://sqlmap.org)", "sqlmap 1"),
    ("", ""),
    ("  ", ""),
];

#[test]
fn agents_of_one_product_and_major_version_are_one_family() {
    for (beginning, end, family) in BROWSERS {
        assert_eq!(Family::of(&format!("{beginning} {end}")).to_string(), family, "{end}");
    }
    for (agent, family) in OTHERS {
        assert_eq!(Family::of(agent).to_string(), family, "{agent}");
    }
}

#[test]
fn a_family_survives_its_text_form() {
    for (agent, _) in OTHERS {
        let family = Family::of(agent);
        assert_eq!(Family::parse(&family.to_string()), Some(family), "{agent}");
    }
    for bad in ["a b", "a 70000", "a;b", "ä", "a 1 2"] {
        assert_eq!(Family::parse(bad), None, "{bad}");
    }
}

#[test]
fn whatever_a_client_sends_its_family_is_short_and_plain() {
    let long = "x".repeat(10_000);
    assert_eq!(Family::of(&long).product.len(), 32);
    assert_eq!(Family::of("a/99999999999999999999 b"), Family { product: "a", major: None });
    assert_eq!(Family::of("naïve/1").product, "na");
    assert_eq!(Family::of("😀/1").to_string(), " 1");
    assert_eq!(Family::of("/7").to_string(), " 7");
}
