//! Agents and probes, and what looks like them.

use super::*;
use crate::inspect::Sign;

fn most(path: &str, query: &str, agent: &str) -> u8 {
    let headers = [("user-agent", agent)];
    let request = Request { method: "GET", host: "api.example.com", path, query, headers: &headers, body: None };
    let mut most = 0;
    let mut tell = |_: Place<'_>, text: &[u8], sign: Sign| {
        assert!(sign.at.end <= text.len(), "{path} {agent}");
        most = most.max(sign.confidence);
    };
    judge(&request, &mut tell);
    judge_header(PATH, path, &mut tell);
    judge_header("user-agent", agent, &mut tell);
    most
}

const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";

#[test]
fn tools_that_say_their_name_are_believed() {
    for agent in [
        "sqlmap/1.7.2#stable (https://sqlmap.org)",
        "Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:000001)",
        "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)",
        "Mozilla/5.0 zgrab/0.x",
        "Fuzz Faster U Fool v2.0.0-dev",
        "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
        "httpx - Open-source project (github.com/projectdiscovery/httpx)",
        "WPScan v3.8.22 (https://wpscan.com/wordpress-security-scanner)",
        "masscan/1.3 (https://github.com/robertdavidgraham/masscan)",
        "gobuster/3.6",
        "feroxbuster/2.10.0",
        "w3af.org",
    ] {
        assert!(most("/api", "", agent) >= 80, "{agent}");
    }
}

#[test]
fn programs_monitors_and_search_bots_are_innocent() {
    for agent in [
        BROWSER,
        "",
        "curl/8.4.0",
        "python-requests/2.31.0",
        "python-httpx/0.25.0",
        "Go-http-client/2.0",
        "PostmanRuntime/7.36.0",
        "k6/0.48.0 (https://k6.io/)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "okhttp/4.12.0",
        "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A.230901.001)",
        "GPTBot/1.2 (+https://openai.com/gptbot)",
        "Zapier",
        "Wget/1.21.4",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "Apache-HttpClient/4.5.14 (Java/17.0.9)",
        "Terraform/1.6.0 (+https://www.terraform.io)",
    ] {
        assert_eq!(most("/api", "", agent), 0, "{agent}");
    }
}

#[test]
fn files_that_no_api_serves_are_probes() {
    for path in [
        "/.env",
        "/app/.env.production",
        "/.git/HEAD",
        "/.git/config",
        "/.aws/credentials",
        "/.DS_Store",
        "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
        "/phpMyAdmin/index.php",
        "/actuator/heapdump",
        "/actuator/env",
        "/server-status",
        "/backup.sql",
        "/www.zip",
        "/db.sql.gz",
        "/index.php.bak",
        "/config.php~",
        "/wp-config.php.old",
        "/c99.php",
        "/uploads/shell.php",
        "/manager/html",
        "/_ignition/execute-solution",
        "/HNAP1/",
        "/web.config",
    ] {
        assert!(most(path, "", BROWSER) >= 80, "{path}");
    }
    assert!(most("/uploads/x.php", "cmd=id", BROWSER) >= 80);
    assert!(most("/wp-login.php", "", BROWSER) == 50, "the origin may be one");
}

#[test]
fn paths_of_an_api_are_no_probes() {
    for path in [
        "/",
        "/.well-known/openid-configuration",
        "/api/v1/users/5",
        "/api/env",
        "/actuator/health",
        "/actuator/prometheus",
        "/repos/a/b/contents/.gitignore",
        "/repos/a/b/contents/.env",
        "/repos/a/b.git/info/refs",
        "/files/report.pdf",
        "/api/exports/backup.zip",
        "/backups",
        "/config.json",
        "/index.php",
        "/admin",
        "/login",
        "/.netlify/functions/x",
        "/static/app.js.map",
        "/v1/data/users.bak",
        "/swagger.json",
        "/graphql",
        "/robots.txt",
        "/favicon.ico",
        "/.env.example",
    ] {
        assert!(most(path, "", BROWSER) < 80, "{path}");
    }
    assert_eq!(most("/api/run", "cmd=list", BROWSER), 0);
}
