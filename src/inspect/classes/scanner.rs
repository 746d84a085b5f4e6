//! Scanners: agents that name themselves, requests for files that no API serves, and hosts that only wait for a server to call
//! them. What a single probe is worth is said here; many of them are a matter for the session.

mod probes;

use super::system::{begins, find, from, high, is_document, is_spoken_of, part};
use crate::inspect::walk::PATH;
use crate::inspect::{Attack, Class, Part, Place, Reading, Request, RequestClass, Scan, Sign, Tell};
use crate::session::Severity;

/// Agents and probes.
pub static SCANNER: RequestClass = RequestClass { attack: Attack::Scanner, judge, header: Some(judge_header) };

/// Hosts that record who calls them, in any value.
pub static SCANNER_HOST: Class = Class {
    attack: Attack::Scanner,
    words: &[
        "oast",
        "oastify",
        "interact",
        "burpcollaborator",
        "bxss",
        "dnslog",
        "ceye",
        "xss",
        "dnsbin",
        "r87",
        "interactsh",
        "oob",
    ],
    chars: b"",
    may_be: |scan: Scan, _: Place<'_>| scan.any(b".") && scan.word(Attack::Scanner),
    judge: judge_host,
};

/// Domains of services that tell a tester which server called.
const LISTENERS: &[&str] = &[
    "oast.fun",
    "oast.pro",
    "oast.live",
    "oast.site",
    "oast.online",
    "oast.me",
    "oastify.com",
    "interact.sh",
    "burpcollaborator.net",
    "bxss.me",
    "dnslog.cn",
    "dnslog.pw",
    "ceye.io",
    "xss.ht",
    "xss.report",
    "dnsbin.zhack.ca",
    "r87.me",
    "r87.com",
    "bxss.in",
    "oob.li",
];

fn judge_host(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let (at, host) = LISTENERS.iter().find_map(|host| find(text, host.as_bytes()).map(|at| (at, host)))?;
    let before = at.checked_sub(1).and_then(|last| text.get(last)).copied().unwrap_or(b'/');
    let behind = text.get(at + host.len()).copied().unwrap_or(b'/');
    // A name of the service's own making stands before it: `c58bduhe008dovpvhvug.oast.fun`.
    let is_whole =
        !before.is_ascii_alphanumeric() && before != b'-' && !behind.is_ascii_alphanumeric() && behind != b'.';
    let spoken = is_spoken_of(text, &(at..at + host.len())) || is_document(text);
    let confidence = match () {
        () if !is_whole => return None,
        () if before != b'.' || spoken => 55,
        () => 86,
    };
    Some(high(confidence, at..at + host.len(), "names a host that tells a tester which server calls it"))
}

/// Agents by the words they name themselves with, lower case.
const AGENTS: &[&str] = &[
    "sqlmap",
    "nikto",
    "nuclei",
    "acunetix",
    "nessus",
    "openvas",
    "wpscan",
    "masscan",
    "zgrab",
    "gobuster",
    "ffuf",
    "fuzz",
    "dirbuster",
    "dirb",
    "feroxbuster",
    "arachni",
    "w3af",
    "whatweb",
    "projectdiscovery",
    "nmap",
    "burp",
    "burpsuite",
    "burpcollaborator",
    "zaproxy",
    "jaeles",
    "dalfox",
    "xsstrike",
    "commix",
    "havij",
    "netsparker",
    "invicti",
    "appscan",
    "webinspect",
    "skipfish",
    "fimap",
    "wfuzz",
    "jorgee",
    "morfeus",
    "zmeu",
    "muieblackcat",
    "webscarab",
    "cgichk",
    "bsqlbf",
    "sqlninja",
    "sqlsus",
    "jbrofuzz",
    "dirsearch",
    "joomscan",
    "cmsmap",
    "droopescan",
    "wapiti",
    "golismero",
    "tplmap",
    "nosqlmap",
    "pocsuite",
    "fscan",
    "afrog",
    "crlfuzz",
    "kiterunner",
    "graphqlmap",
    "crackql",
    "inql",
    "vulnscan",
    "qualysguard",
    "wpscanner",
    "l9explore",
    "l9tcpid",
    "leakix",
    "hakrawler",
    "rustbuster",
    "patator",
    "subfinder",
    "metasploit",
    "xspider",
    "uniscan",
    "whatwaf",
    "wafw00f",
    "secscan",
    "shellshock",
    "log4shell",
    "sysscan",
];
const AGENT_STARTS: Starts = Starts::of(AGENTS);

/// Which two letters the words of a list begin with: leaves nearly all words out at once.
pub(super) struct Starts([u32; 26]);

impl Starts {
    /// Words that begin with something else than two letters are always let through by their first one.
    pub(super) const fn of(words: &[&str]) -> Self {
        let mut starts = [0_u32; 26];
        let mut rest = words;
        while let [word, tail @ ..] = rest {
            if let [first, second, ..] = word.as_bytes()
                && let Some((slot, _)) =
                    starts.split_at_mut((first.wrapping_sub(b'a') % 26) as usize).1.split_first_mut()
            {
                *slot |= 1 << (*second & 31);
            }
            rest = tail;
        }
        Self(starts)
    }

    pub(super) fn may_hold(&self, word: &[u8]) -> bool {
        let [first, second, ..] = word else { return false };
        let slot = usize::from(first.to_ascii_lowercase().wrapping_sub(b'a') % 26);
        self.0.get(slot).is_some_and(|seconds| seconds & (1 << (second.to_ascii_lowercase() & 31)) != 0)
    }
}

fn judge(request: &Request<'_>, tell: &mut Tell<'_>) {
    if !request.query.is_empty() {
        probed(request.path, probes::by_query(request.path.as_bytes(), request.query.as_bytes()), tell);
    }
}

fn probed(path: &str, found: Option<probes::Probe>, tell: &mut Tell<'_>) {
    if let Some((confidence, at, what)) = found {
        let severity = if confidence >= 80 { Severity::Medium } else { Severity::Low };
        let sign = Sign { confidence, severity, at, what };
        tell(Place { part: Part::Path, name: "" }, path.as_bytes(), sign);
    }
}

fn judge_header(name: &str, value: &str, tell: &mut Tell<'_>) {
    if name == PATH {
        probed(value, probes::by_path(value.as_bytes()), tell);
    } else if name == "user-agent" {
        if let Some(sign) = agent(value.as_bytes()) {
            tell(Place { part: Part::Header, name }, value.as_bytes(), sign);
        }
    } else if name.starts_with("acunetix") || name.starts_with("x-arachni") || name.starts_with("x-wipp") {
        let sign = high(86, 0..name.len(), "is a header of a scanner");
        tell(Place { part: Part::HeaderName, name }, name.as_bytes(), sign);
    }
}

/// A tool that says its name. Words are runs of letters and digits.
fn agent(value: &[u8]) -> Option<Sign> {
    let mut start = 0;
    let mut end = 0;
    while start < value.len() {
        end += from(value, end).iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let word = part(value, start..end);
        if AGENT_STARTS.may_hold(word) && AGENTS.iter().any(|agent| word.eq_ignore_ascii_case(agent.as_bytes())) {
            return Some(high(88, start..end, "is the agent of a scanner"));
        }
        end += 1;
        start = end;
    }
    begins(value, b"${jndi").then(|| high(60, 0..6, "is the agent of a scanner"))
}

#[cfg(test)]
mod tests;
