//! Paths that are asked for to see whether a mistake was made: secrets left in the web root, backups, consoles, web shells.

use core::ops::Range;

use super::Starts;
use crate::inspect::classes::system::{begins, find, from, is_one_of, part};

/// Files and directories, by one or two segments of a path, with how sure it is a probe: beneath 80 where an origin may well
/// have such a page.
const PROBES: &[(&str, u8)] = &[
    ("wp-login.php", 50),
    ("wp-admin", 50),
    ("wp-content", 45),
    ("wp-includes", 50),
    ("xmlrpc.php", 50),
    ("wp-json", 30),
    ("wlwmanifest.xml", 82),
    ("administrator", 40),
    ("phpmyadmin", 82),
    ("phpmyadmin2", 82),
    ("pma", 60),
    ("myadmin", 60),
    ("mysqladmin", 82),
    ("dbadmin", 60),
    ("sqladmin", 60),
    ("adminer.php", 84),
    ("adminer", 60),
    ("phpinfo.php", 85),
    ("info.php", 70),
    ("test.php", 50),
    ("phpunit", 85),
    ("eval-stdin.php", 92),
    ("_ignition", 88),
    ("server-status", 82),
    ("server-info", 82),
    ("elmah.axd", 85),
    ("trace.axd", 85),
    ("web.config", 85),
    ("docker-compose.yml", 82),
    ("docker-compose.yaml", 82),
    ("dockerfile", 50),
    ("id_rsa", 88),
    ("id_dsa", 88),
    ("sftp-config.json", 88),
    ("database.yml", 85),
    ("wp-config.php", 85),
    ("configuration.php", 70),
    ("composer.lock", 60),
    ("composer.json", 50),
    ("package-lock.json", 50),
    ("yarn.lock", 50),
    ("boaform", 88),
    ("hnap1", 88),
    ("gponform", 88),
    ("jmxinvokerservlet", 88),
    ("ejbinvokerservlet", 88),
    ("jmx-console", 85),
    ("web-console", 70),
    ("struts2-showcase", 85),
    ("dana-na", 85),
    ("wls-wsat", 88),
    ("_asyncresponseservice", 88),
    ("asyncresponseservice", 88),
    ("telescope", 60),
    ("jolokia", 75),
    ("heapdump", 84),
    ("threaddump", 75),
    ("luci", 70),
    ("evox", 85),
    ("owa", 40),
    ("ecp", 50),
    ("fgt_lang", 88),
    ("vpns", 70),
    ("axis2", 75),
    ("axis2-admin", 85),
    ("solr", 45),
    ("hudson", 50),
    ("login.action", 50),
    ("cgi-bin", 60),
    ("cgi-sys", 70),
    ("webdav", 40),
    ("nice ports,", 92),
    ("c99.php", 90),
    ("r57.php", 90),
    ("wso.php", 90),
    ("b374k.php", 90),
    ("alfa.php", 88),
    ("shell.php", 86),
    ("cmd.php", 86),
    ("webshell.php", 90),
    ("backdoor.php", 90),
    ("c99shell.php", 90),
    ("cmd.jsp", 86),
    ("shell.jsp", 86),
    ("cmd.aspx", 86),
    ("shell.aspx", 86),
    ("cmdasp.aspx", 88),
    ("cmd.asp", 86),
    ("up.php", 60),
    ("uploader.php", 60),
    ("mini.php", 70),
    ("1.php", 60),
    ("xx.php", 60),
    ("webresource.axd", 50),
    ("crossdomain.xml", 20),
    ("local.settings.json", 85),
    ("appsettings.json", 82),
    ("application.yml", 80),
    ("application.properties", 80),
    ("settings.py", 80),
    ("credentials.json", 70),
    ("secrets.yml", 82),
    ("secrets.json", 80),
    ("config.inc.php", 82),
    ("nmaplowercheck", 92),
    ("portal.php", 30),
    ("autodiscover.json", 50),
    ("docker.sock", 85),
    ("php_info.php", 85),
    ("phpinfo", 82),
    ("server.key", 86),
    ("private.key", 85),
    ("privatekey.pem", 85),
    ("host-manager", 82),
    ("h2-console", 82),
    ("wp-file-manager", 84),
    ("connector.minimal.php", 84),
    ("manifest.mf", 80),
    ("laravel.log", 82),
    ("debug.log", 82),
    ("error_log", 80),
    ("access.log", 80),
    ("error.log", 80),
    ("access_log", 80),
    ("nginx_status", 82),
    ("test-cgi", 86),
    ("printenv.pl", 84),
    ("web-inf", 84),
    ("meta-inf", 80),
    ("phpmyadmin3", 82),
    ("phpmyadmin4", 82),
    ("sqlite.db", 82),
    ("id_ed25519", 88),
    ("id_ecdsa", 88),
    ("setup.cgi", 84),
    ("remote-console", 70),
    ("pprof", 82),
    ("terraform.tfstate", 86),
    ("kubeconfig", 82),
];
#[allow(clippy::indexing_slicing, reason = "the compiler works it out, and says so where it is wrong")]
const PROBE_STARTS: Starts = {
    let mut words = [""; PROBES.len()];
    let mut at = 0;
    while at < PROBES.len() {
        words[at] = PROBES[at].0;
        at += 1;
    }
    Starts::of(&words)
};

/// Files and directories whose names begin with a dot and that never belong to a site.
const DOT_FILES: &[&str] = &[
    ".env",
    ".git",
    ".svn",
    ".hg",
    ".bzr",
    ".aws",
    ".ssh",
    ".docker",
    ".kube",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".htaccess",
    ".bash_history",
    ".zsh_history",
    ".mysql_history",
    ".ds_store",
    ".vscode",
    ".idea",
    ".netrc",
    ".dockerenv",
    ".git-credentials",
    ".gitconfig",
    ".s3cfg",
    ".ftpconfig",
    ".remote-sync.json",
    ".pgpass",
    ".my.cnf",
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".dockercfg",
    ".boto",
    ".terraform",
    ".azure",
    ".circleci",
    ".travis.yml",
    ".passwd",
    ".cvs",
    ".svnignore",
    ".config",
    ".history",
    ".rnd",
    ".viminfo",
];
/// Directories under which an API of a code host keeps other people's files.
const FILES_OF_OTHERS: &[&str] =
    &["contents", "blob", "raw", "repos", "repository", "tree", "files", "projects", "objects"];
const CODE: &[&str] = &[
    "php", "asp", "aspx", "jsp", "config", "cfg", "conf", "ini", "inc", "py", "rb", "yml", "yaml", "env", "json",
    "xml", "html",
];
const SPARE: &[&str] = &["bak", "old", "orig", "save", "swp", "swo", "backup", "copy", "tmp", "bkp", "1", "bk", "dist"];
const ARCHIVES: &[&str] = &["sql", "zip", "tar", "gz", "tgz", "rar", "7z", "bak", "dump", "sqlite", "mdb", "bz2"];
const ARCHIVED: &[&str] = &[
    "backup",
    "backups",
    "dump",
    "db",
    "database",
    "site",
    "www",
    "wwwroot",
    "public_html",
    "mysql",
    "data",
    "website",
    "web",
    "bak",
    "sql",
    "db_backup",
    "htdocs",
    "old",
    "users",
    "wordpress",
    "localhost",
    "dbdump",
];
/// Parts of Spring Boot's actuator that tell secrets.
const ACTUATOR: &[&str] = &[
    "env",
    "heapdump",
    "threaddump",
    "jolokia",
    "configprops",
    "mappings",
    "logfile",
    "trace",
    "httptrace",
    "gateway",
    "dump",
];

/// Segments of a path that are looked at: attacks stand near its beginning or its end.
const MOST_SEGMENTS: usize = 32;

/// How sure a path is a probe, which piece of it says so, and why.
pub(super) type Probe = (u8, Range<usize>, &'static str);

/// What a path asks for by itself.
pub(super) fn by_path(path: &[u8]) -> Option<Probe> {
    let mut best: Option<Probe> = None;
    let mut take = |confidence: u8, at: Range<usize>, what| {
        if best.as_ref().is_none_or(|(known, ..)| *known < confidence) {
            best = Some((confidence, at, what));
        }
    };
    let (mut start, mut depth, mut of_others) = (0, 0_usize, false);
    let mut before: &[u8] = b"";
    for segment in path.split(|byte| *byte == b'/').take(MOST_SEGMENTS) {
        let at = start..start + segment.len();
        start = at.end + 1;
        if segment.is_empty() {
            continue;
        }
        depth += 1;
        if segment.first() == Some(&b'.') {
            if is_dot_file(segment) {
                take(
                    if of_others { 50 } else { 86 },
                    at.clone(),
                    "asks for a hidden file that is left behind by mistake",
                );
            }
        } else if PROBE_STARTS.may_hold(segment) {
            let known = PROBES.iter().find(|(name, _)| segment.eq_ignore_ascii_case(name.as_bytes()));
            if let Some((_, confidence)) = known {
                take(if of_others { 40 } else { *confidence }, at.clone(), "asks for what scanners look for");
            }
        }
        if begins(before, b"actuator") && before.len() == 8 && is_one_of(segment, ACTUATOR) {
            take(82, at.clone(), "asks for the inside of a Spring Boot application");
        }
        if is_one_of(before, &["solr", "mysql", "db", "sql", "pma", "jenkins", "hudson", "druid"])
            && is_one_of(segment, &["admin", "script", "index.html"])
        {
            take(82, at.clone(), "asks for the console of a system behind");
        }
        if before.eq_ignore_ascii_case(b"cgi-bin")
            && is_one_of(
                segment,
                &["php", "php5", "sh", "bash", "luci", "test", "status", "printenv", "cmd", "php-cgi", "php4"],
            )
        {
            take(84, at.clone(), "asks for what scanners look for");
        }
        if begins(segment, b"adminer-") && segment.ends_with(b".php") || begins(segment, b"phpmyadmin-") {
            take(84, at.clone(), "asks for the console of a database");
        }
        if before.eq_ignore_ascii_case(b"manager") && segment.eq_ignore_ascii_case(b"html") {
            take(80, at, "asks for the console of Tomcat");
        }
        of_others |= is_one_of(segment, FILES_OF_OTHERS);
        before = segment;
    }
    let last = path.len() - before.len().min(path.len())..path.len();
    if let Some(confidence) = spare(before, depth).filter(|_| path.ends_with(before) && !of_others) {
        take(confidence, last, "asks for a copy that is left behind by mistake");
    }
    best
}

/// What a path and a query ask for together.
pub(super) fn by_query(path: &[u8], query: &[u8]) -> Option<Probe> {
    let mut best: Option<Probe> = None;
    let mut take = |confidence: u8, at: Range<usize>, what| {
        if best.as_ref().is_none_or(|(known, ..)| *known < confidence) {
            best = Some((confidence, at, what));
        }
    };
    let mut segments = path.rsplit(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
    let before = segments.next().unwrap_or_default();
    let is_first = segments.next().is_none();
    let last = path.len() - before.len().min(path.len())..path.len();
    if is_script(before)
        && query.split(|byte| *byte == b'&').take(16).any(|pair| begins(pair, b"cmd=") && pair.len() > 4)
    {
        take(82, last, "calls a web shell");
    }
    if begins(query, b"XDEBUG_SESSION_START=") || begins(query, b"xdebug_session_start=") {
        take(82, 0..path.len(), "asks for a debugger to be started");
    }
    if is_first
        && before.eq_ignore_ascii_case(b"shell")
        && (find(query, b"wget").is_some() || find(query, b"cd+/tmp").is_some())
    {
        take(90, 0..path.len(), "calls the shell of a camera");
    }
    if begins(before, b"autodiscover.json") && query.contains(&b'@') {
        take(86, 0..path.len(), "asks a mail server for another path");
    }
    if find(query, b"invokefunction").is_some() {
        take(90, 0..path.len(), "calls into ThinkPHP");
    }
    best
}

/// `.env`, `.env.production`, but not `.env.example`.
fn is_dot_file(segment: &[u8]) -> bool {
    if is_one_of(segment, DOT_FILES) {
        return true;
    }
    let tail = segment.strip_prefix(b".env").and_then(|tail| tail.split_first());
    tail.is_some_and(|(mark, tail)| {
        b"._-~".contains(mark) && !is_one_of(tail, &["example", "sample", "template", "dist"])
    })
}

fn is_script(name: &[u8]) -> bool {
    let extension = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    name.len() > extension.len()
        && is_one_of(extension, &["php", "jsp", "jspx", "asp", "aspx", "ashx", "cgi", "php5", "phtml"])
}

/// `index.php.bak`, `config.php~`, `/backup.sql`.
fn spare(name: &[u8], depth: usize) -> Option<u8> {
    if let Some(name) = name.strip_suffix(b"~") {
        return is_script(name).then_some(82);
    }
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let (stem, extension) = (part(name, 0..dot), from(name, dot + 1));
    let inner = stem.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    if is_one_of(extension, SPARE) && inner.len() < stem.len() && is_one_of(inner, CODE) {
        return Some(82);
    }
    let base = stem.split(|byte| *byte == b'.').next().unwrap_or(stem);
    (is_one_of(extension, ARCHIVES) && is_one_of(base, ARCHIVED) && depth <= 2).then_some(if depth == 1 {
        84
    } else {
        60
    })
}
