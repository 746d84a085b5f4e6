//! Programs that are run by those who have got into a shell, and what they are given.

use super::shell::Command;
use crate::inspect::classes::system::{begins, find, is_one_of};

/// What has to stand behind a program's name before it is taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// The name alone is telling.
    Nothing,
    /// The name is an ordinary word, but the program is run by itself.
    Little,
    /// An option or a path.
    File,
    /// An option, an address, a name with a dot.
    Host,
    /// A number, and no more.
    Number,
    /// An option, or a pipe before it.
    Code,
    /// Anything short.
    Text,
    /// One of the program's own orders.
    Order,
    /// Another program.
    Program,
}

/// Names in lower case, without path and `.exe`.
pub(super) static PROGRAMS: &[(&str, Needs)] = &[
    ("whoami", Needs::Nothing),
    ("uname", Needs::Nothing),
    ("ifconfig", Needs::Nothing),
    ("ipconfig", Needs::Nothing),
    ("netstat", Needs::Nothing),
    ("systeminfo", Needs::Nothing),
    ("tasklist", Needs::Nothing),
    ("printenv", Needs::Nothing),
    ("lsof", Needs::Nothing),
    ("getent", Needs::Nothing),
    ("lsb_release", Needs::Nothing),
    ("id", Needs::Little),
    ("ls", Needs::Little),
    ("dir", Needs::Little),
    ("ps", Needs::Little),
    ("env", Needs::Little),
    ("pwd", Needs::Little),
    ("df", Needs::Little),
    ("hostname", Needs::Little),
    ("export", Needs::Little),
    ("ss", Needs::Little),
    ("arp", Needs::Little),
    ("ver", Needs::Little),
    ("who", Needs::Little),
    ("groups", Needs::Little),
    ("reboot", Needs::Little),
    ("vol", Needs::Little),
    ("cat", Needs::File),
    ("tac", Needs::File),
    ("head", Needs::File),
    ("tail", Needs::File),
    ("more", Needs::File),
    ("less", Needs::File),
    ("nl", Needs::File),
    ("od", Needs::File),
    ("xxd", Needs::File),
    ("strings", Needs::File),
    ("type", Needs::File),
    ("rev", Needs::File),
    ("sort", Needs::File),
    ("base64", Needs::File),
    ("grep", Needs::File),
    ("egrep", Needs::File),
    ("find", Needs::File),
    ("cp", Needs::File),
    ("mv", Needs::File),
    ("rm", Needs::File),
    ("chmod", Needs::File),
    ("chown", Needs::File),
    ("touch", Needs::File),
    ("mkdir", Needs::File),
    ("tee", Needs::File),
    ("del", Needs::File),
    ("copy", Needs::File),
    ("xcopy", Needs::File),
    ("cd", Needs::File),
    ("ln", Needs::File),
    ("mkfifo", Needs::File),
    ("mknod", Needs::File),
    ("tar", Needs::File),
    ("sed", Needs::File),
    ("awk", Needs::File),
    ("wc", Needs::File),
    ("stat", Needs::File),
    ("dd", Needs::File),
    ("uniq", Needs::File),
    ("cut", Needs::File),
    ("paste", Needs::File),
    ("diff", Needs::File),
    ("file", Needs::File),
    ("hd", Needs::File),
    ("rmdir", Needs::File),
    ("findstr", Needs::File),
    ("crontab", Needs::File),
    ("useradd", Needs::File),
    ("adduser", Needs::File),
    ("kill", Needs::File),
    ("openssl", Needs::File),
    ("socat", Needs::Host),
    ("date", Needs::File),
    ("which", Needs::File),
    ("sc", Needs::File),
    ("start", Needs::File),
    ("gcc", Needs::File),
    ("vi", Needs::File),
    ("git", Needs::File),
    ("docker", Needs::File),
    ("ping", Needs::Host),
    ("curl", Needs::Host),
    ("wget", Needs::Host),
    ("nslookup", Needs::Host),
    ("dig", Needs::Host),
    ("host", Needs::Host),
    ("nc", Needs::Host),
    ("ncat", Needs::Host),
    ("netcat", Needs::Host),
    ("telnet", Needs::Host),
    ("ssh", Needs::Host),
    ("scp", Needs::Host),
    ("ftp", Needs::Host),
    ("tftp", Needs::Host),
    ("traceroute", Needs::Host),
    ("tracert", Needs::Host),
    ("lynx", Needs::Host),
    ("ping6", Needs::Host),
    ("fping", Needs::Host),
    ("nmap", Needs::Host),
    ("fetch", Needs::Host),
    ("sleep", Needs::Number),
    ("usleep", Needs::Number),
    ("timeout", Needs::Number),
    ("bash", Needs::Code),
    ("sh", Needs::Code),
    ("dash", Needs::Code),
    ("zsh", Needs::Code),
    ("ksh", Needs::Code),
    ("csh", Needs::Code),
    ("python", Needs::Code),
    ("python2", Needs::Code),
    ("python3", Needs::Code),
    ("perl", Needs::Code),
    ("ruby", Needs::Code),
    ("php", Needs::Code),
    ("node", Needs::Code),
    ("lua", Needs::Code),
    ("powershell", Needs::Code),
    ("pwsh", Needs::Code),
    ("cmd", Needs::Code),
    ("osascript", Needs::Code),
    ("mshta", Needs::Host),
    ("rundll32", Needs::File),
    ("regsvr32", Needs::File),
    ("cscript", Needs::File),
    ("wscript", Needs::File),
    ("certutil", Needs::File),
    ("bitsadmin", Needs::File),
    ("echo", Needs::Text),
    ("printf", Needs::Text),
    ("expr", Needs::Number),
    ("eval", Needs::Program),
    ("history", Needs::Little),
    ("sysinfo", Needs::Little),
    ("mysql", Needs::File),
    ("yum", Needs::File),
    ("iptables", Needs::File),
    ("xterm", Needs::File),
    ("apt", Needs::Order),
    ("apt-get", Needs::Order),
    ("iwr", Needs::Host),
    ("iex", Needs::Text),
    ("start-sleep", Needs::File),
    ("get-process", Needs::Nothing),
    ("get-childitem", Needs::Nothing),
    ("get-content", Needs::File),
    ("invoke-webrequest", Needs::Host),
    ("invoke-expression", Needs::Text),
    ("get-service", Needs::Nothing),
    ("start-process", Needs::Text),
    ("new-object", Needs::Text),
    ("net", Needs::Order),
    ("reg", Needs::Order),
    ("wmic", Needs::Order),
    ("netsh", Needs::Order),
    ("systemctl", Needs::Order),
    ("service", Needs::Order),
    ("shutdown", Needs::Order),
    ("set", Needs::Order),
    ("schtasks", Needs::Order),
    ("passwd", Needs::Order),
    ("sudo", Needs::Program),
    ("nohup", Needs::Program),
    ("exec", Needs::Program),
    ("xargs", Needs::Program),
    ("busybox", Needs::Program),
    ("command", Needs::Program),
    ("time", Needs::Program),
];

const ORDERS: &[&str] = &[
    "user",
    "users",
    "view",
    "localgroup",
    "group",
    "start",
    "stop",
    "share",
    "accounts",
    "use",
    "query",
    "add",
    "save",
    "export",
    "process",
    "os",
    "firewall",
    "wlan",
    "interface",
    "status",
    "restart",
    "-h",
    "-r",
    "/s",
    "/r",
    "/a",
    "now",
    "/query",
    "/create",
    "root",
    "-n",
    "config",
    "install",
];

/// Files and devices that tell what a command is about.
const TELLING: &[&str] = &[
    "/etc/",
    "passwd",
    "/proc/",
    "/dev/tcp",
    "/bin/sh",
    "/bin/bash",
    "win.ini",
    "boot.ini",
    "/etc\\",
    "?/p",
    "system32",
    ".ssh/",
];

/// Whether arguments name one of [`TELLING`].
pub(super) fn is_about_system(arguments: &[u8]) -> bool {
    TELLING.iter().any(|word| find(arguments, word.as_bytes()).is_some())
}

/// Options of PowerShell that keep out of sight.
const HIDING: &[&str] = &["-e ", "-en", "-nop", "hidden", "bypass", "-noni"];

/// What the program needs, if it is one of [`PROGRAMS`].
pub(super) fn program(name: &[u8]) -> Option<Needs> {
    PROGRAMS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(_, needs)| *needs)
}

/// How much of a command is there: 0 nothing, 1 a bare name that is also a word, 2 a name with what the program takes, 3 what nothing
/// but an attack is.
pub(super) fn weight(command: &Command<'_>) -> u8 {
    let Some(needs) = program(command.name()) else {
        return if command.is_pattern() { 2 } else { 0 };
    };
    // What follows is a comment: `; sleep 10 #`.
    let rest =
        find(command.arguments, b" #").map_or(command.arguments, |at| command.arguments.get(..at).unwrap_or_default());
    let rest = rest.trim_ascii();
    // Programs are written small or, for Windows, in any way; a word with one capital begins a sentence.
    let is_title = matches!(command.name(), [first, tail @ ..] if first.is_ascii_uppercase() && tail.iter().all(u8::is_ascii_lowercase));
    if is_title && !command.is_hidden && !rest.iter().any(|byte| b"/\\".contains(byte)) {
        return 0;
    }
    if command.is_hidden {
        return if rest.is_empty() && !matches!(needs, Needs::Nothing | Needs::Little) { 1 } else { 3 };
    }
    if TELLING.iter().any(|word| find(rest, word.as_bytes()).is_some()) && !matches!(needs, Needs::Number) {
        return 3;
    }
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let is_short = words.next().is_none();
    let is_option = matches!(first, [b'-', letter, ..] if letter.is_ascii_alphanumeric() || *letter == b'-')
        || matches!(first, [b'/', letter] if letter.is_ascii_alphabetic());
    let first = first.strip_prefix(b"\"").or(first.strip_prefix(b"'")).unwrap_or(first);
    let is_open = matches!(first, [b'$' | b'`' | b'<' | b'>' | b'%' | b'{', ..]);
    let is_path = matches!(
        first,
        [b'/' | b'.' | b'~' | b'*' | b'\\', _, ..] | [_, b':', b'\\' | b'/', ..] | [b'/' | b'.' | b'*' | b'~']
    );
    let has_dot = first
        .windows(3)
        .any(|three| matches!(three, [a, b'.', b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()));
    let is_given = is_option || is_open;
    if is_one_of(command.name(), &["powershell", "pwsh"])
        && HIDING.iter().any(|option| find(rest, option.as_bytes()).is_some())
    {
        return 3;
    }
    let is_told = match needs {
        Needs::Nothing => rest.is_empty() || is_given || is_path || is_short,
        Needs::Little if rest.is_empty() => return if command.is_program_path { 2 } else { 1 },
        Needs::Little => is_given || is_path || is_short && is_one_of(first, &["aux", "auxf", "ef", "aux;"]),
        Needs::File => {
            is_given
                || is_path
                || has_dot && is_short
                || find(rest, b" /").is_some()
                || find(first, b"=/").is_some()
                || first.starts_with(b"+")
        }
        Needs::Host => {
            is_given
                || has_dot
                || first.iter().any(u8::is_ascii_digit)
                || find(first, b"://").is_some()
                || begins(first, b"localhost")
        }
        Needs::Number => {
            let digits = first.iter().take_while(|byte| byte.is_ascii_digit()).count();
            matches!(first, [b'$' | b'`', ..])
                || digits > 0 && is_short && first.len() <= digits + 1
                || command.name() == b"expr"
                    && rest.iter().all(|byte| byte.is_ascii_digit() || b" +-*/%\\".contains(byte))
                || is_option && !is_short
        }
        Needs::Code => is_given || is_path || command.is_piped && rest.is_empty(),
        Needs::Text => {
            !rest.is_empty() && (is_open || is_given || is_short || rest.iter().any(|byte| b"$>`\"'".contains(byte)))
        }
        Needs::Order => is_one_of(first, ORDERS),
        Needs::Program => {
            is_open || is_option || {
                let name = first.rsplit(|byte| *byte == b'/').next().unwrap_or(first);
                program(name).is_some()
            }
        }
    };
    match (is_told, needs) {
        (false, _) => u8::from(command.is_program_path),
        (true, Needs::Nothing) => 3,
        (true, _) if command.is_program_path => 3,
        (true, Needs::Code) if command.is_piped => 3,
        (true, Needs::Code) if is_one_of(first, &["-c", "/c", "-enc"]) && !is_short => 3,
        (true, _) => 2,
    }
}
